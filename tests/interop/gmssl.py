"""GmSSL for `./x interop`: one job a call, arguments and results in hexadecimal unless they are paths.

Key files go through GmSSL's own C functions, which the extension of gmssl-pyx exports but does not wrap.
"""

import ctypes
import sys

import gmssl_pyx
from gmssl_pyx import gmsslext

gmssl = ctypes.CDLL(gmsslext.__file__)
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]

# More than any version's SM2_KEY: three coordinates and the secret, 32 bytes each, are 128.
KEY_BYTES_MAX = 1024


def key_file(function, key, passphrase, path, mode):
    file = libc.fopen(path.encode(), mode)
    if not file:
        raise SystemExit(f"cannot open {path}")
    done = getattr(gmssl, function)(key, bytes.fromhex(passphrase), ctypes.c_void_p(file))
    libc.fclose(file)
    return done == 1


def secret_of(key):
    """The secret number out of the ECPrivateKey that GmSSL makes of the key: SEQUENCE, version, OCTET STRING."""
    der = ctypes.create_string_buffer(1024)
    place = ctypes.c_void_p(ctypes.addressof(der))
    length = ctypes.c_size_t(0)
    if gmssl.sm2_private_key_to_der(key, ctypes.byref(place), ctypes.byref(length)) != 1:
        raise SystemExit("sm2_private_key_to_der failed")
    at = der.raw.index(b"\x02\x01\x01\x04\x20") + 5
    return der.raw[at : at + 32].hex()


def new_key_file(passphrase, path):
    key = ctypes.create_string_buffer(KEY_BYTES_MAX)
    if gmssl.sm2_key_generate(key) != 1:
        raise SystemExit("sm2_key_generate failed")
    if not key_file("sm2_private_key_info_encrypt_to_pem", key, passphrase, path, b"w"):
        raise SystemExit("sm2_private_key_info_encrypt_to_pem failed")
    return secret_of(key)


def open_key_file(passphrase, path):
    key = ctypes.create_string_buffer(KEY_BYTES_MAX)
    if not key_file("sm2_private_key_info_decrypt_from_pem", key, passphrase, path, b"r"):
        return "refused"
    return secret_of(key)


def sign(secret, point, signer, message):
    return gmssl_pyx.sm2_sign(*map(bytes.fromhex, (secret, point, message, signer))).hex()


def verify(point, signer, message, signature):
    try:
        good = gmssl_pyx.sm2_verify(*map(bytes.fromhex, (point, message, signature, signer)))
    except gmssl_pyx.GmsslInnerError:
        good = False
    return "good" if good else "refused"


def encrypt(point, message):
    return gmssl_pyx.sm2_encrypt(*map(bytes.fromhex, (point, message))).hex()


def decrypt(secret, ciphertext):
    try:
        return gmssl_pyx.sm2_decrypt(*map(bytes.fromhex, (secret, ciphertext))).hex()
    except gmssl_pyx.GmsslInnerError:
        return "refused"


def seal(key, nonce, associated, plain):
    sealed, tag = gmssl_pyx.sm4_gcm_encrypt(*map(bytes.fromhex, (key, nonce, associated, plain)))
    return (sealed + tag).hex()


def unseal(key, nonce, associated, sealed):
    parts = [bytes.fromhex(part) for part in (key, nonce, associated, sealed[:-32], sealed[-32:])]
    try:
        return gmssl_pyx.sm4_gcm_decrypt(*parts).hex()
    except gmssl_pyx.GmsslInnerError:
        return "refused"


JOBS = {job.__name__: job for job in (new_key_file, open_key_file, sign, verify, encrypt, decrypt, seal, unseal)}
print(JOBS[sys.argv[1]](*sys.argv[2:]))
