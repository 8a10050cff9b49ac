{
  "agent": "echo",
  "hash": "208e4a6887e30fcaf92be5c035ef7afb3b07e981aba49244b4577fc028c25cf4",
  "public_key": "8b5d13a0fc384aa73aef0d79631fb4c259b1ed59e74b48e87bc5c5ab1e683c69",
  "seq": 8,
  "signature": "K5Y0FBdPAimYglaRdiFqgPodxsvdtaFNJeOe6RtLVbL0WOWhM4iumEgE/v7ASOlLxQQc3WM/eqwksVPaCo8BBQ==",
  "time": "2026-11-21T06:49:01.157Z"
}
