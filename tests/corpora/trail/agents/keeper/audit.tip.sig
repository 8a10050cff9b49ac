{
  "agent": "keeper",
  "hash": "0c17f7580775422cafb6f26f5d089bae725015c18bfa5888335b48516787f8a4",
  "public_key": "8b5d13a0fc384aa73aef0d79631fb4c259b1ed59e74b48e87bc5c5ab1e683c69",
  "seq": 3,
  "signature": "DIgT9an+Me+PTlpVf6mNPQtA8s44q6grmXqMtuthzTauVfjt/6MrklkER/GWStI/pjWzpZDmvk+ThjfP7izODA==",
  "time": "2026-11-21T06:49:01.156Z"
}
