"""The part of the sandbox that lives inside the interpreter.

`entry` answers the host's requests. The same code serves two roles, each in an instance of its own: the *subject* runs a
submission and knows nothing of what it is compared with (`subject`, `program`); the *examiner* runs a course's test
script and reaches the submission only through the host (`examiner`, `autograder`, `proxies`, `unittests`).
Nothing here is trusted by the host when it runs in the subject: a submission can rewrite all of it and gains nothing.
"""
