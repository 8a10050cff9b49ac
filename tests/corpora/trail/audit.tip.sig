{
  "agent": "(gateway)",
  "hash": "055ad98ac816bd1baa5b6c7c8d6122d3e8e21b4acc5019d7af259f847d695c68",
  "public_key": "8b5d13a0fc384aa73aef0d79631fb4c259b1ed59e74b48e87bc5c5ab1e683c69",
  "seq": 4,
  "signature": "60DdTKlMjUfL6JPolbGD+hEL26FTWqePYAi3VKBfTXf2ras3TIzJXOopa+4Dd+7xPrjABVJPtNweDK7e3rg7AA==",
  "time": "2026-11-21T06:49:01.157Z"
}
