"""Opens the test vector of SECURITY.md with libsodium: an implementation that shares nothing with ours."""

import pathlib
import re
import sys
import uuid

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt

page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
sealed = bytes.fromhex(re.search(r"^\| sealed \| `([0-9a-f]+)` \|$", page, re.M).group(1))
header, nonce, ciphertext = sealed[:6], sealed[6:30], sealed[30:]
name = b"card"
session = uuid.UUID("09090909-0909-0909-0909-090909090909").bytes
associated = b"sso_attr value v1" + header + session + len(name).to_bytes(4, "big") + name

plaintext = decrypt(ciphertext, associated, nonce, b"\x42" * 32)
assert plaintext == b'"secret"', plaintext
try:
    decrypt(ciphertext, associated + b"x", nonce, b"\x42" * 32)
except Exception:
    print("vector opens, and does not with other associated data")
else:
    sys.exit("vector opens with other associated data")
