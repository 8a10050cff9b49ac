;; The smallest skill that still takes and gives a text: it answers in upper case. 1 export, 2 pages of memory.
(component
  (core module $m
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "run") (param $text i32) (param $length i32) (result i32)
      (local $i i32) (local $byte i32)
      (block $done
        (loop $each
          (br_if $done (i32.ge_u (local.get $i) (local.get $length)))
          (local.set $byte (i32.load8_u (i32.add (local.get $text) (local.get $i))))
          (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 97)) (i32.const 26))
            (then (i32.store8 (i32.add (local.get $text) (local.get $i))
              (i32.sub (local.get $byte) (i32.const 32)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $each)))
      (i32.store (i32.const 0) (local.get $text))
      (i32.store (i32.const 4) (local.get $length))
      (i32.const 0))
    (func (export "spin") (loop $for-ever (br $for-ever))))
  (core instance $i (instantiate $m))
  (func (export "run") (param "text" string) (result string)
    (canon lift (core func $i "run") (memory $i "memory") (realloc (func $i "realloc"))))
  (func (export "spin") (canon lift (core func $i "spin"))))
