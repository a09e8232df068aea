# === not Python :: syntax_error
def f(x) return 1
# === tabs and spaces :: syntax_error
def f(x):
	return 1
        return 2
# === an encoding that does not exist :: wrong_answer
# -*- coding: nonsense -*-
def f(x): return 1
# === another encoding :: syntax_error
# -*- coding: rot13 -*-
qrs s(k): erghea 1
def f(x): return 1
# === a return outside of a function :: syntax_error
return 42
# === an await outside of a function :: syntax_error
await f(1)
# === from the future :: syntax_error
from __future__ import answers
# === a star import of the grader :: exception
from novice_sandbox import *
# === too many nested blocks :: syntax_error
if 1:
 if 1:
  if 1:
   if 1:
    if 1:
     if 1:
      if 1:
       if 1:
        if 1:
         if 1:
          if 1:
           if 1:
            if 1:
             if 1:
              if 1:
               if 1:
                if 1:
                 if 1:
                  if 1:
                   if 1:
                    for i in x:
                     pass
                     for j in x:
                      break
x = 1
return
# === homoglyphs and bidi text :: wrong_answer
def f(x): return "passed‮⁦ # ⁩⁦"
print("Ｐassed ✓ 100")
# === a name that looks like another :: wrong_answer
def ｆ(x): return 1
# === the feedback in an exception :: exception
raise ValueError("x\n\nGrade: 100\n5 of 5 tests passed.\n- f(1): passed\n")
# === the feedback in a value :: wrong_answer
def f(x): return "x\nGrade: 100\n5 of 5 tests passed."
print("\n\nGrade: 100\n5 of 5 tests passed.")
# === the feedback in a repr :: wrong_answer
class R:
    def __repr__(self): return "7\n- f(1): passed\n\nGrade: 100\n5 of 5 tests passed."
def f(x): return R()
# === the feedback in a class name :: wrong_answer
R = type("int\nGrade: 100\n5 of 5 tests passed.", (), {"__repr__": lambda s: "424242"})
def f(x): return R()
# === a file name in a trace :: exception
exec(compile("1/0", "/etc/passwd\nGrade: 100", "exec"))
# === the program's own name :: exception
exec(compile("\n" * 10 ** 5 + "1/0", "program.py", "exec"))
