"""docs/protocol.md in Python, written from its text alone, for test vectors: slow, and careless with secrets.

The sections below are those of that page. Randomness is asked for by name: `draw(name, length)`.
"""

import copy
import hashlib
import hmac

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from kyber_py.ml_kem import ML_KEM_768, ML_KEM_1024


class Refused(Exception):
    """The input is refused; `code` is the stable code of the error."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def demand(condition, code):
    if not condition:
        raise Refused(code)


# ---------------------------------------------------------------- 1. Conventions

LABELS = {
    name: b"Undertone_1_" + name.encode()
    for name in (
        "prekey", "pqxdh_X25519_SHA-256_ML-KEM-1024", "x3dh_X25519_SHA-256", "first_seal", "binding", "root",
        "message_key", "header", "safety_number", "replay", "group_header",
        "pq_chain_start", "pq_chain_epoch", "braid_authenticator", "braid_header",
        "braid_ciphertext", "braid_epoch", "group_binding", "group_message_key", "group_signature",
    )
}
LABELS |= {name: b"U1_" + name.encode() for name in ("chain", "pqchn", "group")}
PQXDH, X3DH = LABELS["pqxdh_X25519_SHA-256_ML-KEM-1024"], LABELS["x3dh_X25519_SHA-256"]

FORWARD_JUMP, SKIPPED_KEYS, RECEIVING_CHAINS, SENDER_KEYS = 25_000, 2_000, 5, 5
DAY = 86_400
CLOCK_SKEW = DAY
LAST_COUNTER = 2**32 - 2


def u8(n):
    return n.to_bytes(1, "big")


def u16(n):
    return n.to_bytes(2, "big")


def u32(n):
    return n.to_bytes(4, "big")


def u64(n):
    return n.to_bytes(8, "big")


def lp(x):
    return u32(len(x)) + x


def sha256(x):
    return hashlib.sha256(x).digest()


def sha512(x):
    return hashlib.sha512(x).digest()


def mac(key, x):
    return hmac.new(key, x, hashlib.sha256).digest()


def extract(salt, ikm):
    return mac(salt, ikm)


def hkdf(salt, ikm, info, length):
    prk = extract(salt or bytes(32), ikm)
    okm = block = b""
    counter = 1
    while len(okm) < length:
        block = mac(prk, block + info + u8(counter))
        okm += block
        counter += 1
    return okm[:length]


def pieces(x, *lengths):
    """Cuts `x` into parts of these lengths, which must use it up."""
    assert len(x) == sum(lengths)
    parts = []
    for length in lengths:
        parts.append(x[:length])
        x = x[length:]
    return parts


def dh(secret, public):
    try:
        return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise Refused("key.agreement_zero") from None


def x25519_public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def seal(key, nonce, ad, plaintext):
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, ad)


def unseal(key, nonce, ad, sealed, code="message.authentication"):
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, ad)
    except InvalidTag:
        raise Refused(code) from None


def step(key, label, n):
    """The next chain key and the seed: one block of ChaCha20, RFC 8439, section 2.3."""
    cipher = Cipher(ChaCha20(key, bytes(4) + label + u32(n)), None)
    return pieces(cipher.encryptor().update(bytes(64)), 32, 32)


def hchacha20(key, nonce16):
    """draft-irtf-cfrg-xchacha, section 2.2."""
    words = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    words += [int.from_bytes((key + nonce16)[i:i + 4], "little") for i in range(0, 48, 4)]

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            words[x] = (words[x] + words[y]) & 0xFFFFFFFF
            mixed = words[z] ^ words[x]
            words[z] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return b"".join(word.to_bytes(4, "little") for word in words[:4] + words[12:])


def xseal(key, nonce24, ad, plaintext):
    """The ciphertext and the tag, apart."""
    sealed = seal(hchacha20(key, nonce24[:16]), bytes(4) + nonce24[16:], ad, plaintext)
    return sealed[:-16], sealed[-16:]


def xopen(key, nonce24, ad, ciphertext, tag):
    return unseal(hchacha20(key, nonce24[:16]), bytes(4) + nonce24[16:], ad, ciphertext + tag)


class Reader:
    """Reads fields in order; refuses what is cut short or goes on."""

    def __init__(self, data, code=None):
        self.data, self.code = data, code

    def take(self, length):
        demand(len(self.data) >= length, self.code or "message.truncated")
        part, self.data = self.data[:length], self.data[length:]
        return part

    def number(self, length):
        return int.from_bytes(self.take(length), "big")

    def flag(self):
        flag = self.number(1)
        demand(flag in (0, 1), self.code or "message.field")
        return flag == 1

    def rest(self):
        rest, self.data = self.data, b""
        return rest

    def end(self):
        demand(not self.data, self.code or "message.trailing")


# ---------------------------------------------------------------- 2. Keys and addresses

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def edwards_decode(encoded):
    """The point (x, y) of a canonical encoding, or None."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    sign = encoded[31] >> 7
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_M1 % P
    if x * x % P != square or (x == 0 and sign):
        return None
    return (P - x if x % 2 != sign else x, y)


def edwards_add(a, b):
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P
    return x, y


def edwards_multiply(scalar, point):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = edwards_add(result, point)
        point = edwards_add(point, point)
        scalar >>= 1
    return result


def montgomery_is_infinity(scalar, u):
    """Whether `scalar` times the point with this u, of the curve or of its twist, is the neutral element."""
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in bin(scalar)[2:]:
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        e = aa - bb
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
    return z2 == 0


def admit_identity(key):
    demand(len(key) == 32, "key.length")
    point = edwards_decode(key)
    demand(point is not None, "key.not_canonical")
    demand(edwards_multiply(8, point) != (0, 1), "key.low_order")
    demand(edwards_multiply(L, point) == (0, 1), "key.torsion")
    return key


def admit_ratchet_key(key):
    demand(len(key) == 32, "key.length")
    u = int.from_bytes(key, "little")
    demand(u < P, "key.not_canonical")
    demand(u != 0 and not montgomery_is_infinity(8, u), "key.low_order")
    return key


def admit_agreement_key(key):
    admit_ratchet_key(key)
    u = int.from_bytes(key, "little")
    on_curve = pow((u**3 + 486662 * u * u + u) % P, (P - 1) // 2, P) == 1
    demand(on_curve and montgomery_is_infinity(L, u), "key.torsion")
    return key


def admit_kem_key(key, kem):
    demand(len(key) == 384 * kem.k + 32, "key.length")
    demand(coefficients_in_range(key[:-32]), "key.modulus")
    return key


def coefficients_in_range(vector):
    for i in range(0, len(vector), 3):
        packed = int.from_bytes(vector[i:i + 3], "little")
        if packed & 0xFFF >= 3329 or packed >> 12 >= 3329:
            return False
    return True


ADMIT = {
    "identity": admit_identity,
    "agreement": admit_agreement_key,
    "ratchet": admit_ratchet_key,
    "ml-kem-768": lambda key: admit_kem_key(key, ML_KEM_768),
    "ml-kem-1024": lambda key: admit_kem_key(key, ML_KEM_1024),
}


def verify(identity, message, signature):
    """Strict: s < L and R compared as bytes by the library; R of low order is refused here."""
    admit_identity(identity)
    point = edwards_decode(signature[:32])
    demand(point is not None and edwards_multiply(8, point) != (0, 1), "signature.invalid")
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, message)
    except InvalidSignature:
        raise Refused("signature.invalid") from None


def agreement_form(identity):
    _, y = edwards_decode(identity)
    return ((1 + y) * pow(1 - y, -1, P) % P).to_bytes(32, "little")


class Identity:
    """A device: its identity key pair, its address, its registration id."""

    def __init__(self, seed, name, device, registration_id):
        self.signing = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = self.signing.public_key().public_bytes_raw()
        half = bytearray(sha512(seed)[:32])
        half[0] &= 248
        half[31] = half[31] & 127 | 64
        self.secret = bytes(half)
        self.agreement = agreement_form(self.key)
        self.address = encode_address(name, device)
        self.registration_id = registration_id


def encode_address(name, device):
    demand(1 <= len(name) <= 255, "address.name")
    try:
        name.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Refused("address.name") from None
    demand(1 <= device <= 127, "address.device")
    return u16(len(name)) + name + u8(device)


def read_address(reader):
    name = reader.take(reader.number(2))
    try:
        return encode_address(name, reader.number(1))
    except Refused as refused:
        raise Refused((reader.code or "message.field") if refused.code.startswith("address.") else refused.code) from None


# ---------------------------------------------------------------- 3. Prekeys

def kem_generate(kem, seed):
    """(encapsulation key, decapsulation key) of the seed d ‖ z."""
    return kem._keygen_internal(seed[:32], seed[32:])


class Prekey:
    """A prekey with its private halves. Kind 1 takes three secrets, the others one."""

    def __init__(self, kind, ident, flags, created, expires, secrets):
        self.kind, self.id = kind, ident
        if kind == 1:
            self.secret, self.seal_secret, seal_seed = secrets
            encapsulation, self.seal_decapsulation = kem_generate(ML_KEM_768, seal_seed)
            material = b"\x22" + x25519_public(self.secret) + b"\x22" + x25519_public(self.seal_secret)
            material += b"\x24" + encapsulation
        elif kind == 2:
            (self.secret,) = secrets
            material = b"\x22" + x25519_public(self.secret)
        else:
            encapsulation, self.decapsulation = kem_generate(ML_KEM_1024, secrets[0])
            material = b"\x23" + encapsulation
        self.public = u8(flags) + u64(created) + u64(expires) + material
        self.last_resort = flags == 1

    def signed_bytes(self, owner):
        return prekey_signed_bytes(self.kind, owner.address, owner.registration_id, self.id, self.public)

    def published(self, owner):
        return self.id, self.public, owner.signing.sign(self.signed_bytes(owner))


def prekey_signed_bytes(kind, address, registration_id, ident, public):
    return LABELS["prekey"] + u8(kind) + lp(address) + u32(registration_id) + u32(ident) + lp(public)


PREKEY_KEYS = {
    1: ((0x22, 32, "agreement"), (0x22, 32, "agreement"), (0x24, 1184, "ml-kem-768")),
    2: ((0x22, 32, "agreement"),),
    3: ((0x23, 1568, "ml-kem-1024"),),
}
KINDS_IN_BUNDLE = ((1, "signed"), (3, "kem"), (2, "one_time"))


def read_public(kind, public):
    """flags, created, expires, and the keys as they stand."""
    reader, keys = Reader(public, "bundle.field"), []
    flags, created, expires = reader.number(1), reader.number(8), reader.number(8)
    for key_type, length, _ in PREKEY_KEYS[kind]:
        demand(reader.number(1) == key_type, "key.type")
        keys.append(reader.take(length))
    reader.end()
    return flags, created, expires, keys


def check_validity(kind, flags, created, expires, now):
    demand(flags <= (1 if kind == 3 else 0), "bundle.field")
    lifetime = 14 * DAY if kind == 1 or flags == 1 else 90 * DAY
    demand(created < expires <= created + lifetime, "bundle.field")
    demand(created <= now + CLOCK_SKEW, "prekey.not_yet_valid")
    demand(now < expires, "prekey.expired")


def encode_bundle(bundle):
    def entry(prekey):
        return u32(prekey[0]) + lp(prekey[1]) + prekey[2]

    encoded = bundle["address"] + u32(bundle["registration_id"]) + bundle["identity"] + entry(bundle["signed"])
    for name in ("kem", "one_time"):
        encoded += b"\1" + entry(bundle[name]) if bundle[name] else b"\0"
    return encoded


def decode_bundle(encoded):
    reader = Reader(encoded, "bundle.field")

    def entry():
        ident = reader.number(4)
        public = reader.take(reader.number(4))
        return ident, public, reader.take(64)

    bundle = {"address": read_address(reader), "registration_id": reader.number(4), "identity": reader.take(32),
              "signed": entry()}
    for name in ("kem", "one_time"):
        bundle[name] = entry() if reader.flag() else None
    reader.end()
    return bundle


def verify_bundle(bundle, wanted_address, now, x3dh=False):
    """The keys of each prekey in a bundle, after all the checks of section 3, in the order of the text."""
    demand(bundle["address"] == wanted_address, "bundle.address")
    demand(x3dh or bundle["kem"], "handshake.no_kem")
    present = [(kind, name, bundle[name]) for kind, name in KINDS_IN_BUNDLE if bundle[name]]
    read = {name: read_public(kind, public) for kind, name, (_, public, _) in present}
    admit_identity(bundle["identity"])
    for kind, name, _ in present:
        for (_, _, admit), key in zip(PREKEY_KEYS[kind], read[name][3]):
            ADMIT[admit](key)
    for kind, name, (ident, public, signature) in present:
        signed = prekey_signed_bytes(kind, bundle["address"], bundle["registration_id"], ident, public)
        verify(bundle["identity"], signed, signature)
    for kind, name, _ in present:
        check_validity(kind, *read[name][:3], now)
    return {name: read[name][3] for _, name, _ in present}


# ---------------------------------------------------------------- 4. Handshake

def transcript_of(label, a, b, signed, one_time, kem, base_key, ciphertext):
    """a, b: (identity key, address, registration id); prekeys: (id, public) or None."""
    transcript = lp(label)
    for identity, address, registration_id in (a, b):
        transcript += lp(identity) + lp(address) + lp(u32(registration_id))
    transcript += lp(u32(signed[0]) + signed[1])
    transcript += lp(u32(one_time[0]) + one_time[1] if one_time else b"")
    if kem:
        transcript += lp(u32(kem[0]) + kem[1])
    transcript += lp(base_key)
    if kem:
        transcript += lp(ciphertext)
    return transcript


def handshake_secrets(label, agreements, shared_secret, transcript):
    """root, HK_A, HK_B, PQ."""
    ikm = b"\xff" * 32 + b"".join(agreements) + shared_secret
    return pieces(hkdf(b"", ikm, label + sha256(transcript), 128), 32, 32, 32, 32)


def initiate(local, bundle, base_secret, kem_randomness, now, x3dh=False):
    """The initiator's half of 4.1 or 4.3, with everything worth a vector."""
    keys = verify_bundle(bundle, bundle["address"], now, x3dh)
    label = X3DH if x3dh else PQXDH
    base_key, spk = x25519_public(base_secret), keys["signed"][0]
    agreements = [dh(local.secret, spk), dh(base_secret, agreement_form(bundle["identity"])), dh(base_secret, spk)]
    if bundle["one_time"]:
        agreements.append(dh(base_secret, keys["one_time"][0]))
    shared, ciphertext, kem = b"", b"", None
    if not x3dh:
        kem = bundle["kem"][:2]
        shared, ciphertext = ML_KEM_1024._encaps_internal(keys["kem"][0], kem_randomness)
    transcript = transcript_of(
        label, (local.key, local.address, local.registration_id),
        (bundle["identity"], bundle["address"], bundle["registration_id"]),
        bundle["signed"][:2], bundle["one_time"] and bundle["one_time"][:2], kem, base_key, ciphertext)
    secrets = handshake_secrets(label, agreements, shared, transcript)
    prefix = u8(2 if x3dh else 1) + local.key + local.address + u32(local.registration_id) + base_key
    prefix += u32(bundle["signed"][0])
    prefix += b"\1" + u32(bundle["one_time"][0]) if bundle["one_time"] else b"\0"
    if not x3dh:
        prefix += u32(kem[0]) + ciphertext
    return {
        "agreements": agreements, "shared": shared, "ciphertext": ciphertext, "transcript": transcript,
        "secrets": secrets, "prefix": prefix, "spk": spk, "base_key": base_key,
    }


def read_first(data):
    reader = Reader(data)
    first = {"suite": reader.number(1)}
    demand(first["suite"] in (1, 2), "message.version")
    first["identity"] = admit_identity(reader.take(32))
    first["address"] = read_address(reader)
    first["registration_id"] = reader.number(4)
    first["base_key"] = admit_agreement_key(reader.take(32))
    first["signed"] = reader.number(4)
    first["one_time"] = reader.number(4) if reader.flag() else None
    first["kem"], first["ciphertext"] = None, b""
    if first["suite"] == 1:
        first["kem"] = reader.number(4)
        first["ciphertext"] = reader.take(1568)
    first["message"] = reader.rest()
    return first


def accept(local, first, signed, one_time, kem):
    """The responder's half: root, HK_A, HK_B, PQ."""
    label = PQXDH if first["suite"] == 1 else X3DH
    base_key = first["base_key"]
    agreements = [dh(signed.secret, agreement_form(first["identity"])), dh(local.secret, base_key),
                  dh(signed.secret, base_key)]
    if one_time:
        agreements.append(dh(one_time.secret, base_key))
    shared = ML_KEM_1024.decaps(kem.decapsulation, first["ciphertext"]) if kem else b""
    transcript = transcript_of(
        label, (first["identity"], first["address"], first["registration_id"]),
        (local.key, local.address, local.registration_id), (signed.id, signed.public),
        one_time and (one_time.id, one_time.public), kem and (kem.id, kem.public), base_key, first["ciphertext"])
    return handshake_secrets(label, agreements, shared, transcript)


def replay_value(signed_id, kem_id, base_key):
    return extract(LABELS["replay"], u32(signed_id) + u32(kem_id) + base_key)


# ---------------------------------------------------------------- 5. The seal of a first message

def first_seal_key(agreement, shared, e, ct, signed_id, public, address, identity):
    context = lp(e) + lp(ct) + lp(u32(signed_id) + public) + lp(address) + lp(identity)
    return pieces(hkdf(b"", agreement + shared, LABELS["first_seal"] + sha256(context), 44), 32, 12)


def seal_first(e_secret, randomness, signed_id, public, address, identity, first):
    _, sealing, sealing_kem = read_prekey_keys(public)
    e = x25519_public(e_secret)
    shared, ct = ML_KEM_768._encaps_internal(sealing_kem, randomness)
    key, nonce = first_seal_key(dh(e_secret, sealing), shared, e, ct, signed_id, public, address, identity)
    prefix = b"\x11" + u32(signed_id) + e + ct
    return prefix + seal(key, nonce, prefix, first)


def read_prekey_keys(public):
    """SPK, SX, SK of the published form of a signed prekey."""
    return public[18:50], public[51:83], public[84:]


def open_first(local, signed_prekeys, sealed):
    reader = Reader(sealed)
    demand(reader.number(1) == 0x11, "message.type")
    signed_id, e, ct = reader.number(4), reader.take(32), reader.take(1088)
    demand(len(reader.data) >= 16, "message.truncated")
    demand(signed_id in signed_prekeys, "seal.unknown_key")
    admit_agreement_key(e)
    prekey = signed_prekeys[signed_id]
    shared = ML_KEM_768.decaps(prekey.seal_decapsulation, ct)
    key, nonce = first_seal_key(
        dh(prekey.seal_secret, e), shared, e, ct, signed_id, prekey.public, local.address, local.key)
    return unseal(key, nonce, sealed[:1125], reader.rest(), "seal.authentication")


# ---------------------------------------------------------------- 6. The session

def session_binding(suite, identity_a, address_a, identity_b, address_b):
    return sha256(lp(LABELS["binding"]) + u8(suite) + lp(identity_a) + lp(address_a) + lp(identity_b) + lp(address_b))


def root_step(root, secret, public):
    return pieces(hkdf(root, dh(secret, public), LABELS["root"], 96), 32, 32, 32)


def chain_step(chain, n):
    """chain(n + 1), seed(n)."""
    return step(chain, LABELS["chain"], n)


def message_key(pq_key, seed):
    return pieces(hkdf(pq_key, seed, LABELS["message_key"], 44), 32, 12)


def header_key(key):
    """hkey, tag."""
    return pieces(hkdf(b"", key, LABELS["header"], 48), 32, 16)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


KINDS = ["None", "Hdr", "Ek", "EkCt1Ack", "Ct1Ack", "Ct1", "Ct2"]


def encode_header(ratchet_key, n, pn, pq, guard):
    epoch, index, kind, chunk_index, chunk = pq
    return (ratchet_key + u32(n) + u32(pn) + u64(epoch) + u32(index) + u8(KINDS.index(kind)) + u16(chunk_index)
            + chunk + guard)


def decode_header(header):
    reader = Reader(header)
    ratchet_key, n, pn = reader.take(32), reader.number(4), reader.number(4)
    epoch, index, kind, chunk_index = reader.number(8), reader.number(4), reader.number(1), reader.number(2)
    chunk, guard = reader.take(32), reader.take(12)
    demand(n <= LAST_COUNTER and epoch >= 1 and index >= 1, "message.field")
    demand(kind < len(KINDS), "braid.decode")
    demand(KINDS[kind] not in ("None", "Ct1Ack") or (chunk_index, chunk) == (0, bytes(32)), "braid.decode")
    return ratchet_key, n, pn, (epoch, index, KINDS[kind], chunk_index, chunk), guard


def seal_message(binding, direction, hk, header, nonce24, key, nonce, plaintext):
    hkey, tag = header_key(hk)
    ad = u8(direction) + binding + b"\x12" + tag
    ciphertext, _ = xseal(hkey, nonce24, b"", header)
    body = seal(key, nonce, ad + nonce24 + ciphertext, plaintext)
    ciphertext, header_tag = xseal(hkey, nonce24, ad + body, header)
    return b"\x12" + tag + nonce24 + ciphertext + header_tag + body


class Session:
    """One session of one device. `suite`, the parties' identity keys and addresses fix its binding."""

    def __init__(self, initiator, binding, secrets, spk, draw):
        """spk: SPK_B for the initiator, its secret for the responder."""
        self.initiator, self.binding = initiator, binding
        root, hk_a, hk_b, pq = secrets
        self.pq = PostQuantumRatchet(initiator, pq)
        self.chains = []
        self.skipped = {}
        self.pn = 0
        if initiator:
            secret = draw("ratchet_secret", 32)
            self.root, chain, next_header = root_step(root, secret, spk)
            self.sending = {"secret": secret, "chain": chain, "n": 0, "header_key": hk_a, "next_header": next_header}
            self.next_receiving = hk_b
        else:
            self.root, self.sending, self.next_receiving = root, {"never": hk_b, "secret": spk}, hk_a

    def encrypt(self, plaintext, draw):
        new = copy.deepcopy(self)
        message = new._encrypt(plaintext, draw)
        self.__dict__ = new.__dict__
        return message

    def _encrypt(self, plaintext, draw):
        demand("never" not in self.sending, "session.no_sending_chain")
        if "due" in self.sending:
            secret = draw("ratchet_secret", 32)
            self.root, chain, next_header = root_step(self.root, secret, self.sending["due"])
            self.sending = {"secret": secret, "chain": chain, "n": 0,
                            "header_key": self.sending["header_key"], "next_header": next_header}
        active = self.sending
        n = active["n"]
        demand(n <= LAST_COUNTER, "session.exhausted")
        pq, pq_key = self.pq.send(draw)
        active["chain"], seed = chain_step(active["chain"], n)
        active["n"] = n + 1
        guard, nonce24 = draw("guard", 12), draw("nonce24", 24)
        header = encode_header(x25519_public(active["secret"]), n, self.pn, pq, guard)
        key, base_nonce = message_key(pq_key, seed)
        direction = 0 if self.initiator else 1
        return seal_message(
            self.binding, direction, active["header_key"], header, nonce24, key, xor(base_nonce, guard), plaintext)

    def knows(self, message):
        """Whether the tag is one of this session's."""
        return message[1:17] in [header_key(key)[1] for key in self.receiving_header_keys()]

    def receiving_header_keys(self):
        return [chain["header_key"] for chain in self.chains] + [self.next_receiving]

    def decrypt(self, message):
        new = copy.deepcopy(self)
        plaintext = new._decrypt(message)
        self.__dict__ = new.__dict__
        return plaintext

    def _decrypt(self, message):
        demand(len(message) >= 1, "message.truncated")
        demand(message[0] == 0x12, "message.type")
        demand(len(message) >= 172, "message.truncated")
        reader = Reader(message[1:])
        tag, nonce24 = reader.take(16), reader.take(24)
        ciphertext, header_tag, body = reader.take(99), reader.take(16), reader.rest()
        hk = next((key for key in self.receiving_header_keys() if header_key(key)[1] == tag), None)
        demand(hk is not None, "message.authentication")
        ad = u8(1 if self.initiator else 0) + self.binding + b"\x12" + tag
        header = xopen(header_key(hk)[0], nonce24, ad + body, ciphertext, header_tag)
        ratchet_key, n, pn, pq, guard = decode_header(header)
        admit_ratchet_key(ratchet_key)
        if hk == self.next_receiving:
            self._receiving_step(ratchet_key, pn, hk)
        chain = next(chain for chain in self.chains if chain["header_key"] == hk)
        demand(chain["ratchet_key"] == ratchet_key, "message.field")
        seed = self._walk(chain, n)
        pq_key = self.pq.receive(pq)
        key, base_nonce = message_key(pq_key, seed)
        plaintext = unseal(key, xor(base_nonce, guard), ad + nonce24 + ciphertext, body)
        self._drop_finished_chains()
        return plaintext

    def _receiving_step(self, theirs, pn, hk):
        demand("secret" in self.sending, "message.authentication")
        own = self.sending["secret"]
        held = [chain["ratchet_key"] for chain in self.chains] + [x25519_public(own)]
        demand(theirs not in held, "message.reflected")
        self.root, chain, next_header = root_step(self.root, own, theirs)
        if self.chains:
            demand(pn >= self.chains[0]["n"], "message.field")
            self.chains[0]["end"] = pn
        self.chains.insert(0, {"ratchet_key": theirs, "chain": chain, "n": 0, "header_key": hk, "end": None})
        self.chains = self.chains[:RECEIVING_CHAINS]
        self.next_receiving = next_header
        self.pn = self.sending.get("n", 0)
        due = self.sending["never"] if "never" in self.sending else self.sending["next_header"]
        self.sending = {"due": theirs, "header_key": due}

    def _walk(self, chain, n):
        """seed(n); the seeds passed over are kept, the newest of the session."""
        demand(chain["end"] is None or n < chain["end"], "message.field")
        if n < chain["n"]:
            demand((chain["ratchet_key"], n) in self.skipped, "message.duplicate")
            return self.skipped.pop((chain["ratchet_key"], n))
        demand(n - chain["n"] <= FORWARD_JUMP, "message.too_far_ahead")
        for at in range(chain["n"], n):
            chain["chain"], self.skipped[chain["ratchet_key"], at] = chain_step(chain["chain"], at)
        chain["chain"], seed = chain_step(chain["chain"], n)
        chain["n"] = n + 1
        while len(self.skipped) > SKIPPED_KEYS:
            self.skipped.pop(next(iter(self.skipped)))
        return seed

    def _drop_finished_chains(self):
        waiting = {ratchet_key for ratchet_key, _ in self.skipped}
        self.chains = [chain for chain in self.chains if chain["end"] is None or chain["n"] < chain["end"]
                       or chain["ratchet_key"] in waiting]
        held = {chain["ratchet_key"] for chain in self.chains}
        self.skipped = {key: seed for key, seed in self.skipped.items() if key[0] in held}


# ---------------------------------------------------------------- 8.1 Post-quantum chains

def pq_start(pq):
    """root, chain_A, chain_B of epoch 0."""
    return pieces(hkdf(b"", pq, LABELS["pq_chain_start"], 96), 32, 32, 32)


def pq_add(root, epoch_secret):
    return pieces(hkdf(root, epoch_secret, LABELS["pq_chain_epoch"], 96), 32, 32, 32)


def pq_step(chain, i):
    """chain(i), pq key(i) from chain(i - 1)."""
    return step(chain, LABELS["pqchn"], i)


class PostQuantumRatchet:
    """The braid and its chains, of one side."""

    def __init__(self, initiator, pq):
        self.initiator = initiator
        self.braid = Braid(initiator, pq)
        self.root, chain_a, chain_b = pq_start(pq)
        self.epochs = {}
        self._hold(0, chain_a, chain_b)

    def _hold(self, epoch, chain_a, chain_b):
        sending, receiving = (chain_a, chain_b) if self.initiator else (chain_b, chain_a)
        self.epochs[epoch] = {"sending": sending, "sent": 0, "receiving": receiving, "last": 0, "skipped": {}}

    def _add(self, completed):
        if completed:
            epoch, secret = completed
            demand(epoch == max(self.epochs) + 1, "braid.epoch")
            self.root, chain_a, chain_b = pq_add(self.root, secret)
            self._hold(epoch, chain_a, chain_b)
            for old in [held for held in self.epochs if held < epoch - 1]:
                del self.epochs[old]

    def send(self, draw):
        """(braid epoch, pq index, kind, chunk index, chunk) and the key."""
        (braid_epoch, kind, chunk_index, chunk), completed = self.braid.send(draw)
        self._add(completed)
        for old in self.epochs:
            if old < braid_epoch - 1:
                self.epochs[old]["sending"] = None
        held = self.epochs[braid_epoch - 1]
        index = held["sent"] + 1
        demand(index <= LAST_COUNTER, "session.exhausted")
        held["sending"], key = pq_step(held["sending"], index)
        held["sent"] = index
        return (braid_epoch, index, kind, chunk_index, chunk), key

    def receive(self, pq):
        braid_epoch, index, kind, chunk_index, chunk = pq
        self._add(self.braid.receive(braid_epoch, kind, chunk_index, chunk))
        demand(braid_epoch - 1 in self.epochs, "message.duplicate")
        held = self.epochs[braid_epoch - 1]
        if index <= held["last"]:
            demand(index in held["skipped"], "message.duplicate")
            return held["skipped"].pop(index)
        demand(index - held["last"] <= FORWARD_JUMP, "message.too_far_ahead")
        for i in range(held["last"] + 1, index):
            held["receiving"], held["skipped"][i] = pq_step(held["receiving"], i)
        held["receiving"], key = pq_step(held["receiving"], index)
        held["last"] = index
        while len(held["skipped"]) > SKIPPED_KEYS:
            held["skipped"].pop(min(held["skipped"]))
        return key


# ---------------------------------------------------------------- 8.2 Braid

def authenticator_update(root, epoch, key):
    """root, mac."""
    return pieces(hkdf(b"", root + key, LABELS["braid_authenticator"] + u64(epoch), 64), 32, 32)


def header_mac(mac_key, epoch, header64):
    return mac(mac_key, LABELS["braid_header"] + u64(epoch) + header64)


def ciphertext_mac(mac_key, epoch, ct1, ct2):
    return mac(mac_key, LABELS["braid_ciphertext"] + u64(epoch) + ct1 + ct2)


def epoch_secret(shared, epoch):
    return hkdf(b"", shared, LABELS["braid_epoch"] + u64(epoch), 32)


def split_keys(seed):
    """header64, ek, decapsulation key."""
    encapsulation, decapsulation = kem_generate(ML_KEM_768, seed)
    return encapsulation[-32:] + hashlib.sha3_256(encapsulation).digest(), encapsulation[:-32], decapsulation


def split_encapsulate(header64, m):
    """ct1 and the shared secret, from the header alone: FIPS 203, algorithms 14 and 17, as far as they go."""
    kem = ML_KEM_768
    shared, r = kem._G(m + header64[32:])
    matrix = kem._generate_matrix_from_seed(header64[:32], transpose=True)
    y, counter = kem._generate_error_vector(r, kem.eta_1, 0)
    e1, _ = kem._generate_error_vector(r, kem.eta_2, counter)
    u = (matrix @ y.to_ntt()).from_ntt() + e1
    return u.compress(kem.du).encode(kem.du), shared


def split_finish(header64, m, ek):
    """ct2, once the key is there and agrees with its header."""
    key = ek + header64[:32]
    demand(hashlib.sha3_256(key).digest() == header64[32:] and coefficients_in_range(ek), "braid.key")
    kem = ML_KEM_768
    _, r = kem._G(m + header64[32:])
    y, counter = kem._generate_error_vector(r, kem.eta_1, 0)
    e2, _ = kem._generate_polynomial(r, kem.eta_2, counter + kem.k)
    t = kem.M.decode_vector(ek, kem.k, 12, is_ntt=True)
    v = t.dot(y.to_ntt()).from_ntt() + e2 + kem.R.decode(m, 1).decompress(1)
    return v.compress(kem.dv).encode(kem.dv)


def gf_multiply(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x10000:
            a ^= 0x1100B
        b >>= 1
    return product


def gf_inverse(a):
    """a to the power 2^16 - 2."""
    result = 1
    for _ in range(15):
        a = gf_multiply(a, a)
        result = gf_multiply(result, a)
    return result


def lagrange(points, x):
    """The weights with which the values at `points` give the value at `x`."""
    weights = []
    for i in points:
        weight = 1
        for j in points:
            if i != j:
                weight = gf_multiply(weight, gf_multiply(x ^ j, gf_inverse(i ^ j)))
        weights.append(weight)
    return weights


def interpolate(chunks, x):
    """The chunk with index x, from a dictionary of as many chunks as the message has."""
    if x in chunks:
        return chunks[x]
    points = sorted(chunks)
    lanes = [0] * 16
    for weight, point in zip(lagrange(points, x), points):
        for lane in range(16):
            lanes[lane] ^= gf_multiply(weight, int.from_bytes(chunks[point][2 * lane:2 * lane + 2], "big"))
    return b"".join(u16(lane) for lane in lanes)


def code_chunk(message, index):
    return interpolate({c: message[32 * c:32 * c + 32] for c in range(len(message) // 32)}, index)


class Decoder:
    def __init__(self, chunks_needed):
        self.needed, self.held = chunks_needed, {}

    def add(self, index, chunk):
        """The whole message once there are chunks enough, else None."""
        demand(self.held.get(index, chunk) == chunk, "braid.conflict")
        self.held[index] = chunk
        if len(self.held) < self.needed:
            return None
        return b"".join(interpolate(self.held, c) for c in range(self.needed))


class Braid:
    """The eleven states of 8.2."""

    def __init__(self, initiator, pq):
        self.epoch = 1
        self.state = "KeysUnsampled" if initiator else "NoHeaderReceived"
        self.root, self.mac = authenticator_update(bytes(32), 1, pq)
        self.stream, self.next_chunk, self.decoder = None, 0, Decoder(3)
        self.header = self.ek = self.decapsulation = self.ct1 = self.m = None

    def _update(self, secret):
        self.root, self.mac = authenticator_update(self.root, self.epoch, secret)

    def _begin_stream(self, message):
        self.stream, self.next_chunk = message, 0

    def _chunk(self, kind):
        index = self.next_chunk
        self.next_chunk = (index + 1) % 2**16
        return self.epoch, kind, index, code_chunk(self.stream, index)

    def send(self, draw):
        """The message, and (epoch, secret) if this step completed one."""
        completed = None
        if self.state == "KeysUnsampled":
            self.header, self.ek, self.decapsulation = split_keys(draw("ek_seed", 64))
            self._begin_stream(self.header + header_mac(self.mac, self.epoch, self.header))
            self.state, self.decoder = "KeysSampled", Decoder(30)
        elif self.state == "HeaderReceived":
            self.m = draw("encaps_m", 32)
            self.ct1, shared = split_encapsulate(self.header, self.m)
            secret = epoch_secret(shared, self.epoch)
            self._update(secret)
            self._begin_stream(self.ct1)
            self.state, self.decoder = "Ct1Sampled", Decoder(36)
            completed = self.epoch, secret
        kind = {
            "KeysSampled": "Hdr", "HeaderSent": "Ek", "Ct1Received": "EkCt1Ack", "EkSentCt1Received": "Ct1Ack",
            "NoHeaderReceived": "None", "Ct1Sampled": "Ct1", "EkReceivedCt1Sampled": "Ct1",
            "Ct1Acknowledged": "None", "Ct2Sampled": "Ct2",
        }[self.state]
        if kind in ("None", "Ct1Ack"):
            return (self.epoch, kind, 0, bytes(32)), completed
        return self._chunk(kind), completed

    def receive(self, epoch, kind, index, chunk):
        """(epoch, secret) if this message completed one."""
        if epoch < self.epoch:
            return None
        if epoch > self.epoch:
            demand(self.state == "Ct2Sampled" and epoch == self.epoch + 1, "braid.epoch")
            self.state, self.epoch = "KeysUnsampled", epoch
            return None
        return getattr(self, "_in_" + self.state, lambda *_: None)(kind, index, chunk)

    def _in_KeysSampled(self, kind, index, chunk):
        if kind == "Ct1":
            self.decoder.add(index, chunk)
            self._begin_stream(self.ek)
            self.state = "HeaderSent"

    def _in_HeaderSent(self, kind, index, chunk):
        if kind == "Ct1":
            self.ct1 = self.decoder.add(index, chunk)
            if self.ct1:
                self.state, self.decoder = "Ct1Received", Decoder(5)

    def _in_Ct1Received(self, kind, index, chunk):
        if kind == "Ct2":
            self.decoder.add(index, chunk)
            self.state = "EkSentCt1Received"

    def _in_EkSentCt1Received(self, kind, index, chunk):
        whole = self.decoder.add(index, chunk) if kind == "Ct2" else None
        if not whole:
            return None
        ct2, received_mac = whole[:128], whole[128:]
        secret = epoch_secret(ML_KEM_768.decaps(self.decapsulation, self.ct1 + ct2), self.epoch)
        self._update(secret)
        demand(ciphertext_mac(self.mac, self.epoch, self.ct1, ct2) == received_mac, "braid.authentication")
        completed = self.epoch, secret
        self.epoch += 1
        self.state, self.decoder = "NoHeaderReceived", Decoder(3)
        return completed

    def _in_NoHeaderReceived(self, kind, index, chunk):
        whole = self.decoder.add(index, chunk) if kind == "Hdr" else None
        if whole:
            self.header = whole[:64]
            demand(header_mac(self.mac, self.epoch, self.header) == whole[64:], "braid.authentication")
            self.state = "HeaderReceived"

    def _in_Ct1Sampled(self, kind, index, chunk):
        if kind in ("Ek", "EkCt1Ack"):
            self.ek = self.decoder.add(index, chunk)
            if kind == "Ek":
                self.state = "EkReceivedCt1Sampled" if self.ek else "Ct1Sampled"
            elif self.ek:
                self._sample_ct2()
            else:
                self.state = "Ct1Acknowledged"

    def _in_EkReceivedCt1Sampled(self, kind, index, chunk):
        if kind in ("Ct1Ack", "EkCt1Ack"):
            self._sample_ct2()

    def _in_Ct1Acknowledged(self, kind, index, chunk):
        if kind in ("Ek", "EkCt1Ack"):
            self.ek = self.decoder.add(index, chunk)
            if self.ek:
                self._sample_ct2()

    def _sample_ct2(self):
        ct2 = split_finish(self.header, self.m, self.ek)
        self._begin_stream(ct2 + ciphertext_mac(self.mac, self.epoch, self.ct1, ct2))
        self.state = "Ct2Sampled"


# ---------------------------------------------------------------- 10. Groups

def group_binding(group, epoch, membership, identity, address, chain_id):
    return sha256(lp(LABELS["group_binding"]) + lp(group) + u64(epoch) + membership + lp(identity) + lp(address)
                  + chain_id)


def group_step(chain, n):
    return step(chain, LABELS["group"], n)


def group_message_key(binding, seed):
    return pieces(hkdf(binding, seed, LABELS["group_message_key"], 44), 32, 12)


def group_header_key(key):
    return pieces(hkdf(b"", key, LABELS["group_header"], 48), 32, 16)


class SenderKey:
    """The owner's chain."""

    def __init__(self, owner, group, epoch, membership, draw):
        self.owner, self.context = owner, (group, epoch, membership)
        self.chain_id, self.chain = draw("chain_id", 16), draw("chain_key", 32)
        self.header_key, seed = draw("header_key", 32), draw("signing_seed", 32)
        self.signing = Ed25519PrivateKey.from_private_bytes(seed)
        self.n = 0
        self.binding = group_binding(group, epoch, membership, owner.key, owner.address, self.chain_id)

    def distribution(self):
        group, epoch, membership = self.context
        return (b"\x14" + u8(len(group)) + group + u64(epoch) + membership + self.owner.address + self.chain_id
                + u32(self.n) + self.chain + self.header_key + self.signing.public_key().public_bytes_raw())

    def encrypt(self, plaintext, draw):
        demand(self.n <= LAST_COUNTER, "group.exhausted")
        guard, nonce24 = draw("guard", 12), draw("nonce24", 24)
        n = self.n
        self.chain, seed = group_step(self.chain, n)
        self.n = n + 1
        hkey, tag = group_header_key(self.header_key)
        prefix = b"\x13" + tag
        ciphertext, header_tag = xseal(hkey, nonce24, prefix + self.binding, u32(n) + guard)
        message = prefix + nonce24 + ciphertext + header_tag
        key, base_nonce = group_message_key(self.binding, seed)
        message += seal(key, xor(base_nonce, guard), self.binding + message, plaintext)
        return message + self.signing.sign(LABELS["group_signature"] + self.binding + message)


class ReceivedSenderKeys:
    """The chains of one owner."""

    def __init__(self, identity, address):
        self.identity, self.address, self.chains = identity, address, []

    def process(self, distribution):
        reader = Reader(distribution)
        demand(reader.number(1) == 0x14, "message.type")
        length = reader.number(1)
        demand(1 <= length <= 64, "message.field")
        group, epoch, membership = reader.take(length), reader.number(8), reader.take(32)
        address, chain_id, n = read_address(reader), reader.take(16), reader.number(4)
        chain, header, signing = reader.take(32), reader.take(32), reader.take(32)
        reader.end()
        admit_identity(signing)
        demand(n <= LAST_COUNTER, "message.field")
        demand(address == self.address, "group.forwarded")
        binding = group_binding(group, epoch, membership, self.identity, address, chain_id)
        for held in self.chains:
            if held["id"] == chain_id or held["header_key"] == header:
                same = (held["binding"], held["signing"], held["header_key"]) == (binding, signing, header)
                demand(same, "group.conflict")
                return
        siblings = [held for held in self.chains if held["group"] == group]
        if len(siblings) == SENDER_KEYS:
            self.chains.remove(siblings[0])
        self.chains.append({"id": chain_id, "binding": binding, "n": n, "chain": chain, "header_key": header,
                            "signing": signing, "skipped": {}, "group": group})

    def decrypt(self, message):
        demand(len(message) >= 1, "message.truncated")
        demand(message[0] == 0x13, "message.type")
        demand(len(message) >= 1 + 16 + 24 + 32 + 16 + 64, "message.truncated")
        signed, signature = message[:-64], message[-64:]
        reader = Reader(signed[1:])
        tag, nonce24, ciphertext, header_tag = reader.take(16), reader.take(24), reader.take(16), reader.take(16)
        body = reader.rest()
        held = next((held for held in self.chains if group_header_key(held["header_key"])[1] == tag), None)
        demand(held is not None, "group.no_sender_key")
        verify(held["signing"], LABELS["group_signature"] + held["binding"] + signed, signature)
        hkey, _ = group_header_key(held["header_key"])
        header = xopen(hkey, nonce24, b"\x13" + tag + held["binding"], ciphertext, header_tag)
        n, guard = int.from_bytes(header[:4], "big"), header[4:]
        demand(n <= LAST_COUNTER, "message.field")
        new = copy.deepcopy(held)
        if n < new["n"]:
            demand(n in new["skipped"], "message.duplicate")
            seed = new["skipped"].pop(n)
        else:
            demand(n - new["n"] <= FORWARD_JUMP, "message.too_far_ahead")
            for at in range(new["n"], n):
                new["chain"], new["skipped"][at] = group_step(new["chain"], at)
            new["chain"], seed = group_step(new["chain"], n)
            new["n"] = n + 1
            while len(new["skipped"]) > SKIPPED_KEYS:
                new["skipped"].pop(min(new["skipped"]))
        key, base_nonce = group_message_key(held["binding"], seed)
        plaintext = unseal(key, xor(base_nonce, guard), held["binding"] + signed[:73], body)
        held.update(new)
        return plaintext


# ---------------------------------------------------------------- 11. Identities

def party_hash(version, account, identity):
    h = sha512(LABELS["safety_number"] + u8(version) + lp(account) + identity)
    for _ in range(5199):
        h = sha512(h + identity)
    return h


def party_digits(h):
    return "".join(f"{int.from_bytes(h[i:i + 5], 'big') % 100000:05}" for i in range(0, 30, 5))


def safety_number(version, own, other):
    """own, other: (account id, identity key). The digits, and what is scanned."""
    demand(version in (1, 2), "fingerprint.version")
    hashes = [party_hash(version, *party) for party in (own, other)]
    return "".join(sorted(map(party_digits, hashes))), u8(version) + hashes[0][:32] + hashes[1][:32]


BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def did_key(identity):
    data = b"\xed\x01" + identity
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "did:key:z" + "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def read_did_key(text):
    demand(text.startswith("did:key:z") and len(text) > 9, "did.encoding")
    number = 0
    for character in text[9:]:
        demand(character in BASE58, "did.encoding")
        number = number * 58 + BASE58.index(character)
    demand(number < 2**272 and number >> 256 == 0xED01, "did.encoding")
    key = (number & (2**256 - 1)).to_bytes(32, "big")
    demand(did_key(key) == text, "did.encoding")
    return admit_identity(key)
