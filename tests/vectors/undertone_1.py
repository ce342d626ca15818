#!/usr/bin/env python3
"""The test vectors of docs/protocol.md, computed by the independent implementation in undertone_1_protocol.py.

    python3 -m pip install -r requirements.txt
    python3 undertone_1.py            writes undertone-1.json beside this file
    python3 undertone_1.py --check    recomputes every output of that file from its inputs, and compares

Bytes are hexadecimal. Every random value is an input, drawn from SHA-256 when the file is written. Each group has one
function, from the inputs of a case to its outputs; where something is refused, the output is {"error": its code}.
"""

import copy
import hashlib
import json
import pathlib
import sys

import undertone_1_protocol as u
from undertone_1_protocol import Refused, demand, pieces, u32

FILE = pathlib.Path(__file__).with_name("undertone-1.json")
NOW = 1_800_000_000
GROUPS = []
writing = True


def group(name, section, cases):
    """Registers the function of a group, with its cases: (name, inputs)."""
    def register(compute):
        GROUPS.append({"name": name, "section": section, "compute": compute, "cases": cases})
        return compute
    return register


def fixed(name, length):
    """Bytes that depend on nothing but their name."""
    stream, counter = b"", 0
    while len(stream) < length:
        stream += hashlib.sha256(b"undertone-1 vectors: " + name.encode() + u32(counter)).digest()
        counter += 1
    return stream[:length]


def f(name, length=32):
    return fixed(name, length).hex()


def b(text):
    return bytes.fromhex(text)


def named_draws(random, scope):
    """`draw` over the object `random` of the inputs, which is filled in while the file is written."""
    def draw(name, length):
        if writing and name not in random:
            random[name] = f(f"{scope} {name}", length)
        value = b(random[name])
        assert len(value) == length
        return value
    return draw


def ordered_draws(draws, scope):
    """The same over a list: each draw has its name and its value, in the order in which they are made."""
    position = 0

    def draw(name, length):
        nonlocal position
        if writing and position == len(draws):
            draws.append({"name": name, "value": f(f"{scope} {position}", length)})
        made = draws[position]
        position += 1
        assert made["name"] == name
        return b(made["value"])
    return draw


def changed(data, change):
    """`data` after one change: a byte flipped, bytes replaced, cut off or appended."""
    if change is None:
        return data
    if "set" in change:
        at, replaced = change["set"][0], b(change["set"][1])
        return data[:at] + replaced + data[at + len(replaced):]
    if "flip" in change:
        at, mask = change["flip"]
        return data[:at] + bytes([data[at] ^ mask]) + data[at + 1:]
    return data[:len(data) - change["cut"]] if "cut" in change else data + b(change["append"])


def outcome(action):
    """What `action` returns, or the code with which it refuses."""
    try:
        return action()
    except Refused as refused:
        return {"error": refused.code}


# ---------------------------------------------------------------- parties

def party(name, device=1, registration_id=1):
    """The inputs of a device with a signed and a last-resort prekey, and a one-time prekey and a one-time KEM prekey."""
    made = {"created": NOW - u.DAY}
    rotated, one_time = made | {"expires": NOW + 13 * u.DAY}, made | {"expires": NOW + 89 * u.DAY}
    return {
        "identity_seed": f(name + " identity"), "name": name, "device": device, "registration_id": registration_id,
        "signed": {"id": 1, **rotated, "secret": f(name + " signed"), "seal_secret": f(name + " seal"),
                   "seal_seed": f(name + " seal seed", 64)},
        "last_resort": {"id": 1, "flags": 1, **rotated, "seed": f(name + " last-resort", 64)},
        "one_time": {"id": 1, **one_time, "secret": f(name + " one-time")},
        "kem": {"id": 2, "flags": 0, **one_time, "seed": f(name + " kem", 64)},
    }


def identity_of(inputs):
    return u.Identity(b(inputs["identity_seed"]), inputs["name"].encode(), inputs["device"],
                      inputs["registration_id"])


def prekey_of(kind, inputs):
    names = {1: ("secret", "seal_secret", "seal_seed"), 2: ("secret",), 3: ("seed",)}[kind]
    return u.Prekey(kind, inputs["id"], inputs.get("flags", 0), inputs["created"], inputs["expires"],
                    [b(inputs[name]) for name in names])


class Party:
    """One device: its prekeys, its sessions, the current one first."""

    def __init__(self, inputs):
        self.identity = identity_of(inputs)
        self.signed = prekey_of(1, inputs["signed"])
        self.one_time = {inputs["one_time"]["id"]: prekey_of(2, inputs["one_time"])}
        self.kem = {inputs[name]["id"]: prekey_of(3, inputs[name]) for name in ("last_resort", "kem")}
        self.sessions, self.replays = [], set()

    def bundle(self, one_time=True, kem=True):
        """With `one_time` both one-time prekeys, else the last-resort prekey."""
        owner, kem_prekey = self.identity, max(self.kem.values(), key=lambda held: held.last_resort != one_time)
        return {
            "address": owner.address, "registration_id": owner.registration_id, "identity": owner.key,
            "signed": self.signed.published(owner),
            "kem": kem_prekey.published(owner) if kem else None,
            "one_time": next(iter(self.one_time.values())).published(owner) if one_time else None,
        }

    def initiate(self, bundle, draw, x3dh):
        base_secret = draw("base_key_secret", 32)
        made = u.initiate(self.identity, bundle, base_secret, None if x3dh else draw("kem_randomness", 32), NOW, x3dh)
        binding = u.session_binding(2 if x3dh else 1, self.identity.key, self.identity.address, bundle["identity"],
                                    bundle["address"])
        session = u.Session(True, binding, made["secrets"], made["spk"], draw)
        session.offer = {"prefix": made["prefix"], "bundle": bundle}
        self.sessions.insert(0, session)

    def encrypt(self, plaintext, draw):
        session = self.sessions[0]
        message = session.encrypt(plaintext, draw)
        if session.offer:
            to = session.offer["bundle"]
            e, m = draw("seal_secret", 32), draw("seal_randomness", 32)
            message = u.seal_first(e, m, to["signed"][0], to["signed"][1], to["address"], to["identity"],
                                   session.offer["prefix"] + message)
        return message

    def decrypt(self, message):
        if message[:1] == b"\x11":
            first = u.read_first(u.open_first(self.identity, {self.signed.id: self.signed}, message))
            demand(u32(first["signed"]) == message[1:5], "message.field")
            return self._decrypt_first(first)
        session = next((session for session in self.sessions if session.knows(message)), None)
        demand(session, "message.authentication")
        plaintext = session.decrypt(message)
        session.offer = None
        self._make_current(session)
        return plaintext

    def _make_current(self, session):
        self.sessions = [session] + [other for other in self.sessions if other is not session]

    def _decrypt_first(self, first):
        made_with = (first["base_key"], first["identity"])
        for session in self.sessions:
            if session.made_with == made_with:
                plaintext = session.decrypt(first["message"])
                self._make_current(session)
                return plaintext
        signed, one_time, kem = self.signed, None, None
        demand(first["signed"] == signed.id, "prekey.unknown_signed")
        if first["one_time"] is not None:
            one_time = self.one_time.get(first["one_time"])
            demand(one_time, "prekey.unknown_one_time")
        if first["kem"] is not None:
            kem = self.kem.get(first["kem"])
            demand(kem, "prekey.unknown_kem")
        guarded = kem is None or kem.last_resort
        value = u.replay_value(signed.id, kem.id if kem else 0, first["base_key"])
        demand(not guarded or value not in self.replays, "handshake.replayed")
        secrets = u.accept(self.identity, first, signed, one_time, kem)
        binding = u.session_binding(first["suite"], first["identity"], first["address"], self.identity.key,
                                    self.identity.address)
        session = u.Session(False, binding, secrets, signed.secret, None)
        session.offer, session.made_with = None, made_with
        plaintext = session.decrypt(first["message"])
        self.sessions.insert(0, session)
        if one_time:
            del self.one_time[one_time.id]
        if guarded:
            self.replays.add(value)
        else:
            del self.kem[kem.id]
        return plaintext

    def forget_sessions(self):
        self.sessions = []


u.Session.offer = u.Session.made_with = None


# ---------------------------------------------------------------- section 1 and 2

@group("labels", "1", lambda: [("all", {})])
def labels(_):
    made = sorted(label.decode() for label in u.LABELS.values())
    prefixes = [a for a in made for other in made if a != other and other.startswith(a)]
    return {"labels": made, "prefixes_of_another": prefixes}


def address_cases():
    yield "shortest", {"name": b"a".hex(), "device": 1}
    yield "letters beyond ASCII", {"name": "Zoë@例え.テスト".encode().hex(), "device": 127}
    yield "longest", {"name": b"n".hex() * 255, "device": 2}
    yield "empty name", {"name": "", "device": 1}
    yield "name of 256 bytes", {"name": b"n".hex() * 256, "device": 1}
    yield "name that is not UTF-8", {"name": "ff", "device": 1}
    yield "name with a surrogate", {"name": "eda080", "device": 1}
    yield "device 0", {"name": b"a".hex(), "device": 0}
    yield "device 128", {"name": b"a".hex(), "device": 128}


@group("address", "2", address_cases)
def address(inputs):
    name = b(inputs["name"])
    raw = u.u16(len(name)) + name + u.u8(inputs["device"])
    return outcome(lambda: {"address": u.encode_address(name, inputs["device"])}) | {"bytes": raw}


@group("identity key", "2", lambda: [(f"seed {i}", {"seed": f(f"identity {i}")}) for i in range(4)])
def identity_key(inputs):
    identity = u.Identity(b(inputs["seed"]), b"a", 1, 1)
    assert u.x25519_public(identity.secret) == identity.agreement
    return {"identity": identity.key, "agreement_secret": identity.secret, "agreement": identity.agreement}


def admission_cases():
    little = lambda number: number.to_bytes(32, "little").hex()
    order_8 = 325606250916557431795983626356110631294008115727848805560023387167927233504
    other_8 = 39382357235489614581723060781553021112529911719440698176882885853963445705823
    order_4 = u.edwards_decode(bytes(32))
    seed = fixed("identity 0", 32)
    good = u.Identity(seed, b"a", 1, 1)
    mixed = u.edwards_add(u.edwards_decode(good.key), order_4)
    mixed_encoded = (mixed[1] | (mixed[0] & 1) << 255).to_bytes(32, "little").hex()
    mixed_u = ((1 + mixed[1]) * pow(1 - mixed[1], -1, u.P) % u.P)
    yield "identity key", {"kind": "identity", "key": good.key.hex()}
    yield "identity key, the neutral element", {"kind": "identity", "key": little(1)}
    yield "identity key of order 2", {"kind": "identity", "key": little(u.P - 1)}
    yield "identity key of order 4", {"kind": "identity", "key": little(0)}
    yield "identity key of mixed order", {"kind": "identity", "key": mixed_encoded}
    yield "identity key, y + p", {"kind": "identity", "key": little(u.P + 3)}
    yield "identity key, -0", {"kind": "identity", "key": little(1 | 1 << 255)}
    yield "identity key, no point", {"kind": "identity", "key": little(2)}
    yield "identity key, short", {"kind": "identity", "key": good.key.hex()[2:]}
    for kind in ("agreement", "ratchet"):
        yield f"{kind} key", {"kind": kind, "key": good.agreement.hex()}
        for name, number in (("0", 0), ("1", 1), ("p - 1", u.P - 1), ("order 8", order_8), ("order 8, other", other_8),
                             ("p", u.P), ("p + 1", u.P + 1), ("2^255 - 1", 2**255 - 1),
                             ("top bit", int.from_bytes(good.agreement, "little") | 1 << 255)):
            yield f"{kind} key, {name}", {"kind": kind, "key": little(number)}
        yield f"{kind} key of mixed order", {"kind": kind, "key": little(mixed_u)}
        yield f"{kind} key on the twist", {"kind": kind, "key": little(2)}
        yield f"{kind} key, long", {"kind": kind, "key": good.agreement.hex() + "00"}
    for name, kem in (("ml-kem-768", u.ML_KEM_768), ("ml-kem-1024", u.ML_KEM_1024)):
        key = u.kem_generate(kem, fixed(name, 64))[0]
        yield f"{name} key", {"kind": name, "key": key.hex()}
        yield f"{name} key, first coefficient 3329", {"kind": name, "key": (b"\x01\x0d" + key[2:]).hex()}
        yield f"{name} key, last coefficient 4095", {"kind": name, "key": (key[:-34] + b"\xff\xff" + key[-32:]).hex()}
        yield f"{name} key, short", {"kind": name, "key": key[1:].hex()}


@group("admission", "2", admission_cases)
def admission(inputs):
    return outcome(lambda: {"admitted": bool(u.ADMIT[inputs["kind"]](b(inputs["key"])))})


# ---------------------------------------------------------------- section 3

def prekey_cases():
    owner = party("bob", 2, 0x12345678)
    for kind, name in ((1, "signed"), (2, "one_time"), (3, "kem"), (3, "last_resort")):
        yield name, {"kind": kind, "owner": owner, "prekey": owner[name]}
    yield "the last id", {"kind": 2, "owner": owner, "prekey": owner["one_time"] | {"id": 2**32 - 1}}


@group("prekey", "3", prekey_cases)
def prekey(inputs):
    owner, made = identity_of(inputs["owner"]), prekey_of(inputs["kind"], inputs["prekey"])
    return {"public": made.public, "signed_bytes": made.signed_bytes(owner), "signature": made.published(owner)[2]}


def bundle_cases():
    owner = party("bob", 2, 0x12345678)
    end = len(b"\0\3bob\2") + 4 + 32
    signature = end + 4 + 4 + 17 + 33 + 33 + 1185
    base = {"owner": owner, "wanted": {"name": "bob", "device": 2}, "now": NOW, "x3dh": False, "kem": True,
            "one_time": True}
    base["changes"] = [
        {"flip": [2, 1]}, {"flip": [9, 1]}, {"flip": [end, 1]}, {"flip": [signature, 1]}, {"flip": [signature + 63, 128]},
        {"flip": [signature + 64, 2]}, {"cut": 1}, {"append": "00"},
    ]
    yield "all kinds", base
    yield "no one-time prekey", base | {"one_time": False, "changes": []}
    yield "no KEM prekey, X3DH allowed", base | {"kem": False, "x3dh": True, "changes": []}
    yield "no KEM prekey", base | {"kem": False, "changes": []}
    small = base | {"kem": False, "one_time": False, "x3dh": True, "changes": []}
    yield "of another device", small | {"wanted": {"name": "bob", "device": 3}}
    for name, prekey_change in (
        ("expired", {"expires": NOW}), ("last second", {"expires": NOW + 1}),
        ("created in the future", {"created": NOW + u.DAY + 1}), ("created within the skew", {"created": NOW + u.DAY}),
        ("expires as created", {"expires": NOW - u.DAY}), ("lifetime too long", {"expires": NOW + 13 * u.DAY + 1}),
        ("unknown flag", {"flags": 2}), ("flag of another kind", {"flags": 1}),
    ):
        yield name, small | {"owner": owner | {"signed": owner["signed"] | prekey_change}}


@group("bundle", "3", bundle_cases)
def bundle(inputs):
    made = Party(inputs["owner"]).bundle(inputs["one_time"], inputs["kem"])
    encoded = u.encode_bundle(made)
    assert u.encode_bundle(u.decode_bundle(encoded)) == encoded
    wanted = u.encode_address(inputs["wanted"]["name"].encode(), inputs["wanted"]["device"])

    def judge(data):
        u.verify_bundle(u.decode_bundle(data), wanted, inputs["now"], inputs["x3dh"])
        return {"accepted": True}
    return {"bundle": encoded} | outcome(lambda: judge(encoded)) | {
        "changed": [outcome(lambda: judge(changed(encoded, change))) for change in inputs["changes"]]}


# ---------------------------------------------------------------- sections 4 and 5

def handshake_cases():
    a, owner = party("alice", 1, 7), party("bob", 2, 0x12345678)
    random = {"base_key_secret": f("base key"), "kem_randomness": f("kem randomness")}
    yield "PQXDH with a one-time prekey", {"a": a, "b": owner, "suite": 1, "one_time": True, **random}
    yield "PQXDH without", {"a": a, "b": owner, "suite": 1, "one_time": False, **random}
    del random["kem_randomness"]
    yield "X3DH with a one-time prekey", {"a": a, "b": owner, "suite": 2, "one_time": True, **random}
    yield "X3DH without", {"a": a, "b": owner, "suite": 2, "one_time": False, **random}


@group("handshake", "4.1, 4.2, 4.3", handshake_cases)
def handshake(inputs):
    a, peer = identity_of(inputs["a"]), Party(inputs["b"])
    x3dh = inputs["suite"] == 2
    offered = peer.bundle(inputs["one_time"], not x3dh)
    randomness = None if x3dh else b(inputs["kem_randomness"])
    made = u.initiate(a, offered, b(inputs["base_key_secret"]), randomness, NOW, x3dh)
    first = u.read_first(made["prefix"])
    assert made["secrets"] == u.accept(peer.identity, first, peer.signed, peer.one_time.get(first["one_time"]),
                                       peer.kem.get(first["kem"]))
    root, hk_a, hk_b, pq = made["secrets"]
    return {
        "base_key": made["base_key"], "agreements": made["agreements"], "ciphertext": made["ciphertext"],
        "shared_secret": made["shared"], "transcript_hash": u.sha256(made["transcript"]), "root": root, "hk_a": hk_a,
        "hk_b": hk_b, "pq": pq, "first_without_message": made["prefix"],
    }


def replay_cases():
    key = u.x25519_public(fixed("base key", 32)).hex()
    yield "last-resort", {"b": party("bob", 2, 0x12345678), "signed_id": 1, "kem_id": 1, "base_key": key}
    yield "X3DH", {"b": party("bob", 2, 0x12345678), "signed_id": 1, "kem_id": 0, "base_key": key}


@group("replay value", "4.4", replay_cases)
def replay(inputs):
    return {"value": u.replay_value(inputs["signed_id"], inputs["kem_id"], b(inputs["base_key"]))}


def first_seal_cases():
    inputs = {**next(handshake_cases())[1], "message": f("session message", 200), "e_secret": f("e"),
              "seal_randomness": f("seal randomness"), "inner_change": None, "changes": []}
    without = {**inputs, "one_time": False}
    places = ((0, 1), (4, 1), (5, 1), (36, 0x80), (37, 1), (1124, 0x80), (1125, 1), (1140, 1))
    flips = [{"flip": [at, mask]} for at, mask in places]
    flips += [{"cut": 1}, {"cut": 2000}, {"append": "00"}]
    yield "PQXDH with a one-time prekey", {**inputs, "changes": flips}
    yield "PQXDH without", without
    yield "X3DH", {key: value for key, value in inputs.items() if key != "kem_randomness"} | {"suite": 2}
    address = 1 + 32
    base_key = address + 2 + len("alice") + 1 + 4
    signed_id = base_key + 32
    for name, change in (
        ("suite 0", {"set": [0, "00"]}), ("suite 3", {"set": [0, "03"]}),
        ("identity key of low order", {"set": [1, "01" + "00" * 31]}),
        ("identity key not canonical", {"set": [1, "ff" * 32]}),
        ("device 0", {"set": [base_key - 5, "00"]}), ("name not UTF-8", {"set": [address + 2, "ff"]}),
        ("base key of order 8", {"set": [base_key, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"]}),
        ("base key with the top bit", {"flip": [base_key + 31, 128]}),
        ("another signed prekey", {"flip": [signed_id + 3, 3]}),
        ("flag 2", {"set": [signed_id + 4, "02"]}), ("cut in the ciphertext", {"cut": 201}),
    ):
        yield name, {**without, "inner_change": change}


@group("first seal", "4.2, 5", first_seal_cases)
def first_seal(inputs):
    made, recipient = handshake(inputs), Party(inputs["b"])
    held, owner = recipient.signed, recipient.identity
    first = changed(made["first_without_message"] + b(inputs["message"]), inputs["inner_change"])
    sealed = u.seal_first(b(inputs["e_secret"]), b(inputs["seal_randomness"]), held.id, held.public, owner.address,
                          owner.key, first)
    e, ct = sealed[5:37], sealed[37:1125]
    agreement = u.dh(held.seal_secret, e)
    shared = u.ML_KEM_768.decaps(held.seal_decapsulation, ct)
    key, nonce = u.first_seal_key(agreement, shared, e, ct, held.id, held.public, owner.address, owner.key)
    assert u.open_first(owner, {held.id: held}, sealed) == first

    def open_it(data):
        read = u.read_first(u.open_first(owner, {held.id: held}, data))
        demand(u32(read["signed"]) == data[1:5], "message.field")
        return {"message": read["message"]}
    return {"agreement": agreement, "shared_secret": shared, "key": key, "nonce": nonce, "first": first,
            "sealed": sealed, "opened": outcome(lambda: open_it(sealed)),
            "changed": [outcome(lambda: open_it(changed(sealed, change))) for change in inputs["changes"]]}


# ---------------------------------------------------------------- section 6

def binding_cases():
    for suite in (1, 2):
        yield f"suite {suite}", {"suite": suite, "a": party("alice", 1, 7), "b": party("bob", 2, 0x12345678)}


@group("binding", "6.1", binding_cases)
def binding(inputs):
    a, peer = identity_of(inputs["a"]), identity_of(inputs["b"])
    return {"binding": u.session_binding(inputs["suite"], a.key, a.address, peer.key, peer.address)}


@group("root step", "6.3", lambda: [("one", {"root": f("root"), "secret": f("ours"),
                                             "public": u.x25519_public(fixed("theirs", 32)).hex()})])
def root_step(inputs):
    return dict(zip(("root", "chain", "next_header"),
                    u.root_step(b(inputs["root"]), b(inputs["secret"]), b(inputs["public"]))))


@group("chain", "6.4", lambda: [("from the start", {"chain": f("chain"), "n": 0, "steps": 3}),
                                ("far on", {"chain": f("chain"), "n": 2**32 - 4, "steps": 2}),
                                ("the longest jump", {"chain": f("chain"), "n": 0, "steps": 25_001})])
def chain(inputs):
    key = b(inputs["chain"])
    for n in range(inputs["n"], inputs["n"] + inputs["steps"]):
        key, seed = u.chain_step(key, n)
    return {"chain": key, "last_seed": seed}


@group("message key", "6.4", lambda: [("one", {"seed": f("seed"), "pq_key": f("pq key"), "guard": f("guard", 12)})])
def message_key(inputs):
    key, base_nonce = u.message_key(b(inputs["pq_key"]), b(inputs["seed"]))
    return {"key": key, "base_nonce": base_nonce, "nonce": u.xor(base_nonce, b(inputs["guard"]))}


@group("header key", "6.5", lambda: [("one", {"header_key": f("header key")})])
def header_key(inputs):
    return dict(zip(("hkey", "tag"), u.header_key(b(inputs["header_key"]))))


SESSION = {"suite": 1, "a": party("alice", 1, 7), "b": party("bob", 2, 0x12345678)}


def session_message_cases():
    base = SESSION | {
        "direction": 0, "header_key": f("header key"), "seed": f("seed"), "pq_key": f("pq key"),
        "ratchet_key": u.x25519_public(fixed("ratchet", 32)).hex(), "n": 5, "pn": 9, "braid_epoch": 3, "pq_index": 17,
        "braid_kind": "Ek", "chunk_index": 40, "chunk": f("chunk"), "guard": f("guard", 12),
        "nonce24": f("nonce24", 24), "plaintext": "hello".encode().hex(),
    }
    yield "with a chunk", base
    yield "without, empty, the other way", base | {
        "direction": 1, "braid_kind": "Ct1Ack", "chunk_index": 0, "chunk": bytes(32).hex(), "plaintext": ""}
    yield "X3DH", base | {"suite": 2}
    yield "the largest fields", base | {
        "n": 2**32 - 2, "pn": 2**32 - 1, "braid_epoch": 2**64 - 1, "pq_index": 2**32 - 2, "braid_kind": "Ct2",
        "chunk_index": 65535, "plaintext": f("long plaintext", 1000)}


@group("session message", "6.5", session_message_cases)
def session_message(inputs):
    pq = (inputs["braid_epoch"], inputs["pq_index"], inputs["braid_kind"], inputs["chunk_index"], b(inputs["chunk"]))
    header = u.encode_header(b(inputs["ratchet_key"]), inputs["n"], inputs["pn"], pq, b(inputs["guard"]))
    u.decode_header(header)
    key, base_nonce = u.message_key(b(inputs["pq_key"]), b(inputs["seed"]))
    message = u.seal_message(binding(inputs)["binding"], inputs["direction"], b(inputs["header_key"]), header,
                             b(inputs["nonce24"]), key, u.xor(base_nonce, b(inputs["guard"])), b(inputs["plaintext"]))
    return {"header": header, "message": message}


def header_cases():
    ratchet_key = u.x25519_public(fixed("ratchet", 32))
    header = bytearray(u.encode_header(ratchet_key, 1, 2, (1, 1, "None", 0, bytes(32)), fixed("guard", 12)))
    for name, at, value in (
        ("nothing to carry", 0, b""), ("n of 2^32 - 1", 32, b"\xff" * 4), ("braid epoch 0", 40, bytes(8)),
        ("pq index 0", 48, bytes(4)), ("kind 7", 52, b"\7"), ("kind None with a chunk index", 54, b"\1"),
        ("kind None with a chunk", 86, b"\1"), ("kind Ct1Ack with a chunk", 52, b"\4\0\0\1"),
        ("kind Ct1Ack", 52, b"\4"), ("ratchet key of low order", 0, b"\1" + bytes(31)),
        ("ratchet key not canonical", 0, b"\xff" * 32),
    ):
        mutated = bytearray(header)
        mutated[at:at + len(value)] = value
        yield name, SESSION | {"header": mutated.hex(), "header_key": f("header key"), "nonce24": f("nonce24", 24)}


@group("header fields", "6.5", header_cases)
def header_fields(inputs):
    """A message from A whose header authenticates and whose body is empty, sealed under a key and a nonce of zeros."""
    message = u.seal_message(binding(inputs)["binding"], 0, b(inputs["header_key"]), b(inputs["header"]),
                             b(inputs["nonce24"]), bytes(32), bytes(12), b"")

    def read():
        u.admit_ratchet_key(u.decode_header(b(inputs["header"]))[0])
        return {"accepted": True}
    return {"message": message} | outcome(read)


# ---------------------------------------------------------------- whole conversations, sections 4 to 8

class Script:
    """Writes the steps of a conversation."""

    def __init__(self):
        self.steps = []

    def add(self, **step):
        self.steps.append(step)
        return len(self.steps) - 1

    def initiate(self, by, one_time=True, x3dh=False):
        return self.add(op="initiate", by=by, one_time=one_time, x3dh=x3dh, random={})

    def encrypt(self, by, text):
        return self.add(op="encrypt", by=by, plaintext=text.encode().hex(), random={})

    def decrypt(self, by, message, **change):
        return self.add(op="decrypt", by=by, message=message, change=change or None)

    def say(self, by, text):
        """Encrypts, and the other side decrypts."""
        message = self.encrypt(by, text)
        self.decrypt("B" if by == "A" else "A", message)
        return message


def conversation_cases():
    parties = {"A": party("alice", 1, 7), "B": party("bob", 2, 0x12345678)}

    s = Script()
    s.initiate("A")
    first = s.encrypt("A", "first")
    second = s.encrypt("A", "second, before an answer")
    s.decrypt("B", second)
    s.decrypt("B", second)
    s.decrypt("B", first)
    s.say("B", "answer")
    s.say("A", "no longer sealed")
    late = [s.encrypt("B", f"late {i}") for i in range(4)]
    s.decrypt("A", late[3])
    for change in ({"flip": [0, 1]}, {"flip": [1, 1]}, {"flip": [17, 1]}, {"flip": [41, 1]}, {"flip": [140, 1]},
                   {"flip": [156, 1]}, {"cut": 1}, {"append": "00"}, {"cut": 20}):
        s.decrypt("A", late[1], **change)
    s.decrypt("A", late[1])
    s.decrypt("A", late[1])
    s.say("A", "a turn")
    s.say("B", "another turn")
    s.decrypt("A", late[0])
    s.say("A", "late 2 never comes")
    s.say("B", "then one is late at the end of a chain")
    last = s.encrypt("B", "the late one")
    s.say("A", "a turn")
    s.say("B", "a chain begins")
    s.decrypt("A", last)
    s.decrypt("A", last)
    s.say("A", "the end")
    yield "PQXDH with a one-time prekey", {"parties": parties, "steps": s.steps}

    s = Script()
    s.initiate("A", one_time=False)
    first = s.encrypt("A", "to the last resort")
    s.decrypt("B", first)
    s.say("B", "answer")
    s.say("A", "and back")
    s.add(op="forget_sessions", by="B")
    s.decrypt("B", first)
    yield "PQXDH with a last-resort prekey", {"parties": parties, "steps": s.steps}

    s = Script()
    s.initiate("A", x3dh=True)
    s.say("A", "weaker")
    s.say("B", "answer")
    s.say("A", "and back")
    yield "X3DH", {"parties": parties, "steps": s.steps}

    s = Script()
    s.initiate("A")
    s.initiate("B")
    from_a, from_b = s.encrypt("A", "both at once, A"), s.encrypt("B", "both at once, B")
    s.decrypt("A", from_b)
    s.decrypt("B", from_a)
    crossed = s.encrypt("A", "in the session of B"), s.encrypt("B", "in the session of A")
    s.decrypt("A", crossed[1])
    s.decrypt("B", crossed[0])
    s.say("A", "one of them goes on")
    s.say("B", "as A does")
    yield "both initiate", {"parties": parties, "steps": s.steps}


@group("conversation", "4, 5, 6, 8", conversation_cases)
def conversation(inputs):
    parties = {name: Party(fields) for name, fields in inputs["parties"].items()}
    bundles = {(name, one_time): made.bundle(one_time) for name, made in parties.items() for one_time in (True, False)}
    results = []
    for position, step in enumerate(inputs["steps"]):
        actor = parties[step["by"]]
        draw = named_draws(step.get("random"), f"conversation {len(inputs['steps'])} step {position}")
        if step["op"] == "initiate":
            offered = dict(bundles["B" if step["by"] == "A" else "A", step["one_time"]])
            if step["x3dh"]:
                offered["kem"] = None
            actor.initiate(offered, draw, step["x3dh"])
            results.append({})
        elif step["op"] == "forget_sessions":
            actor.forget_sessions()
            results.append({})
        elif step["op"] == "encrypt":
            results.append({"message": actor.encrypt(b(step["plaintext"]), draw)})
        else:
            message = changed(results[step["message"]]["message"], step["change"])
            results.append(outcome(lambda: {"plaintext": actor.decrypt(message)}))
    return {"results": results}


# ---------------------------------------------------------------- section 8

@group("post-quantum chains", "8.1", lambda: [
    ("one", {"pq": f("pq"), "epoch_secrets": [f("epoch secret 1"), f("epoch secret 2")], "steps": 3})])
def pq_chains(inputs):
    root, chain_a, chain_b = u.pq_start(b(inputs["pq"]))
    epochs = []
    for secret in inputs["epoch_secrets"] + [None]:
        epoch = {"root": root, "chain_a": chain_a, "chain_b": chain_b}
        for side, key in (("a", chain_a), ("b", chain_b)):
            epoch["keys_" + side] = []
            for i in range(1, inputs["steps"] + 1):
                key, made = u.pq_step(key, i)
                epoch["keys_" + side].append(made)
        epochs.append(epoch)
        if secret:
            root, chain_a, chain_b = u.pq_add(root, b(secret))
    return {"epochs": epochs}


@group("braid authenticator", "8.2", lambda: [("one", {
    "pq": f("pq"), "header64": f("header64", 64), "shared_secret": f("shared"), "ct1": f("ct1", 960),
    "ct2": f("ct2", 128), "next_header64": f("next header64", 64)})])
def authenticator(inputs):
    root, mac = u.authenticator_update(bytes(32), 1, b(inputs["pq"]))
    made = {"root_0": root, "mac_0": mac, "header_mac_1": u.header_mac(mac, 1, b(inputs["header64"]))}
    secret = u.epoch_secret(b(inputs["shared_secret"]), 1)
    root, mac = u.authenticator_update(root, 1, secret)
    return made | {"epoch_secret_1": secret, "root_1": root, "mac_1": mac,
                   "ciphertext_mac_1": u.ciphertext_mac(mac, 1, b(inputs["ct1"]), b(inputs["ct2"])),
                   "header_mac_2": u.header_mac(mac, 2, b(inputs["next_header64"]))}


def erasure_cases():
    for name, chunks in (("header", 3), ("ct2", 5), ("ct1", 30), ("ek", 36)):
        yield name, {"message": f(f"erasure {name}", 32 * chunks),
                     "indices": [0, chunks - 1, chunks, chunks + 1, 255, 256, 65535],
                     "received": list(range(1, 2 * chunks, 2))}


@group("erasure code", "8.2", erasure_cases)
def erasure(inputs):
    message = b(inputs["message"])
    decoder = u.Decoder(len(message) // 32)
    for index in inputs["received"]:
        decoded = decoder.add(index, u.code_chunk(message, index))
    assert decoded == message
    return {"chunks": [u.code_chunk(message, index) for index in inputs["indices"]],
            "parity_of_received": u.sha256(b"".join(u.code_chunk(message, index) for index in inputs["received"]))}


def split_cases():
    yield "from a seed", {"ek_seed": f("ek seed", 64), "m": f("encaps m")}
    yield "of other seeds", {"ek_seed": bytes(range(64)).hex(), "m": bytes(range(64, 96)).hex()}


@group("split ML-KEM-768", "8.2", split_cases)
def split_kem(inputs):
    header, ek, decapsulation = u.split_keys(b(inputs["ek_seed"]))
    m = b(inputs["m"])
    ct1, shared = u.split_encapsulate(header, m)
    ct2 = u.split_finish(header, m, ek)
    assert u.ML_KEM_768._encaps_internal(ek + header[:32], m) == (shared, ct1 + ct2)
    assert u.ML_KEM_768.decaps(decapsulation, ct1 + ct2) == shared
    bad = outcome(lambda: {"ct2": u.split_finish(header, m, bytes([ek[0] ^ 1]) + ek[1:])})
    return {"header64": header, "ek": ek, "decapsulation_key_hash": u.sha256(decapsulation), "ct1": ct1, "ct2": ct2,
            "shared_secret": shared, "rejected_secret": u.ML_KEM_768.decaps(decapsulation, ct1 + bytes(128)),
            "ek_flipped": bad}


def braid_cases():
    yield "turn by turn, nothing lost", {"pq": f("pq"), "epochs": 2, "lose": None, "draws": []}
    yield "turn by turn, with losses", {"pq": f("pq"), "epochs": 2, "lose": {"every": 5, "of": [1, 3]}, "draws": []}
    yield "three to one, with losses", {"pq": f("pq"), "epochs": 2, "lose": {"every": 7, "of": [2]}, "burst": 3, "draws": []}


@group("braid", "8.2", braid_cases)
def braid(inputs):
    """Each row: who sends, whether it is lost, braid epoch, pq index, kind, chunk index, chunk, key."""
    draw = ordered_draws(inputs["draws"], "braid")
    sides = {"A": u.PostQuantumRatchet(True, b(inputs["pq"])), "B": u.PostQuantumRatchet(False, b(inputs["pq"]))}
    rows, turn = [], 0
    while min(max(side.epochs) for side in sides.values()) < inputs["epochs"]:
        by, to = ("B", "A") if turn % (inputs.get("burst", 1) + 1) == inputs.get("burst", 1) else ("A", "B")
        sent, key = sides[by].send(draw)
        lost = bool(inputs["lose"]) and turn % inputs["lose"]["every"] in inputs["lose"]["of"]
        if not lost:
            assert sides[to].receive(sent) == key
        rows.append([by, lost, *sent, key])
        turn += 1
    return {"messages": rows, "root": sides["A"].root}


# ---------------------------------------------------------------- section 10

def group_cases():
    steps = [{"op": "distribute"}]
    steps += [{"op": "encrypt", "plaintext": f"group {i}".encode().hex(), "random": {}} for i in range(4)]
    steps += [{"op": "distribute"}, {"op": "encrypt", "plaintext": "", "random": {}}]
    steps += [{"op": "decrypt", "message": 1, "change": None}, {"op": "process", "message": 0, "change": None}]
    decrypts = [(4, None), (4, None), (2, {"flip": [0, 1]}), (2, {"flip": [1, 1]}), (2, {"flip": [17, 1]}),
                (2, {"flip": [41, 1]}), (2, {"flip": [73, 1]}), (2, {"append": "00"}), (2, {"cut": 1}), (2, None),
                (1, None), (6, None)]
    steps += [{"op": "decrypt", "message": message, "change": change} for message, change in decrypts]
    header_key, chain_key = 175 - 64, 175 - 96
    steps += [{"op": "process", "message": 5, "change": None},
              {"op": "process", "message": 0, "change": {"flip": [header_key, 1]}},
              {"op": "process", "message": 0, "change": {"flip": [chain_key, 1]}},
              {"op": "process", "message": 0, "change": {"cut": 1}},
              {"op": "process", "message": 0, "change": {"append": "00"}},
              {"op": "process", "message": 0, "change": {"flip": [0, 1]}},
              {"op": "decrypt", "message": 3, "change": None}]
    base = {"owner": party("alice", 1, 7), "group": "the group".encode().hex(), "epoch": 5, "membership": f("membership"),
            "random": {}}
    yield "a sender key", base | {"claimed_by": "alice", "steps": steps}
    yield "forwarded by another", base | {"claimed_by": "mallory", "steps": [
        {"op": "distribute"}, {"op": "process", "message": 0, "change": None}]}


@group("sender key", "10", group_cases)
def sender_key(inputs):
    owner = identity_of(inputs["owner"])
    key = u.SenderKey(owner, b(inputs["group"]), inputs["epoch"], b(inputs["membership"]),
                      named_draws(inputs["random"], "sender key"))
    claimed = u.encode_address(inputs["claimed_by"].encode(), inputs["owner"]["device"])
    receiver, results = u.ReceivedSenderKeys(owner.key, claimed), []
    for position, step in enumerate(inputs["steps"]):
        draw = named_draws(step.get("random"), f"sender key step {position}")
        if step["op"] == "distribute":
            results.append({"message": key.distribution()})
        elif step["op"] == "encrypt":
            results.append({"message": key.encrypt(b(step["plaintext"]), draw)})
        else:
            message = changed(results[step["message"]]["message"], step["change"])
            if step["op"] == "process":
                results.append(outcome(lambda: receiver.process(message) or {"processed": True}))
            else:
                results.append(outcome(lambda: {"plaintext": receiver.decrypt(message)}))
    return {"binding": key.binding, "results": results}


# ---------------------------------------------------------------- section 11

def safety_number_cases():
    keys = [u.Identity(fixed(f"identity {i}", 32), b"a", 1, 1).key.hex() for i in range(3)]
    for version in (1, 2, 3):
        yield f"version {version}", {"version": version, "own": {"account": b"alice".hex(), "identity": keys[0]},
                                     "other": {"account": b"bob".hex(), "identity": keys[1]}}
    yield "the other side", {"version": 1, "own": {"account": b"bob".hex(), "identity": keys[1]},
                             "other": {"account": b"alice".hex(), "identity": keys[0]}}
    yield "another key", {"version": 1, "own": {"account": b"alice".hex(), "identity": keys[0]},
                          "other": {"account": b"bob".hex(), "identity": keys[2]}}


@group("safety number", "11.1", safety_number_cases)
def safety_number(inputs):
    own, other = ((b(inputs[side]["account"]), b(inputs[side]["identity"])) for side in ("own", "other"))
    return outcome(lambda: dict(zip(("digits", "scannable"), u.safety_number(inputs["version"], own, other))))


@group("did:key", "11.2", lambda: [(f"seed {i}", {"seed": f(f"identity {i}")}) for i in range(3)])
def did_key(inputs):
    key = u.Identity(b(inputs["seed"]), b"a", 1, 1).key
    assert u.read_did_key(u.did_key(key)) == key
    return {"identity": key, "did": u.did_key(key)}


def did_key_refusals():
    good = u.did_key(u.Identity(fixed("identity 0", 32), b"a", 1, 1).key)
    key = u.read_did_key(good)

    def base58(data):
        number, text = int.from_bytes(data, "big"), ""
        while number:
            number, digit = divmod(number, 58)
            text = u.BASE58[digit] + text
        return "did:key:z" + text
    yield "good", {"did": good}
    yield "capital scheme", {"did": good.replace("did:", "DID:")}
    yield "other multibase", {"did": good.replace(":z", ":u")}
    yield "X25519 codec", {"did": base58(b"\xec\x01" + key)}
    yield "short key", {"did": base58(b"\xed\x01" + key[1:])}
    yield "long key", {"did": base58(b"\xed\x01" + key + b"\0")}
    yield "letter outside the alphabet", {"did": good[:-1] + "0"}
    yield "leading zero", {"did": good.replace(":z", ":z1")}
    yield "fragment", {"did": good + "#key"}
    yield "empty", {"did": "did:key:z"}
    yield "low order", {"did": base58(b"\xed\x01\x01" + bytes(31))}
    yield "published example", {"did": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}


@group("did:key parsing", "11.2", did_key_refusals)
def did_key_parsing(inputs):
    return outcome(lambda: {"identity": u.read_did_key(inputs["did"])})


# ---------------------------------------------------------------- known answers of others, and the program

def known_answers():
    """(name, computed, expected): what this implementation shares with published specifications."""
    message = b"".join(u.sha256(bytes([i])) for i in range(3))
    header, ek, decapsulation = u.split_keys(bytes(range(64)))
    m = bytes(range(64, 96))
    ct1, shared = u.split_encapsulate(header, m)
    xchacha = u.xseal(bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)), b("50515253c0c1c2c3c4c5c6c7"),
                      b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
                      b"sunscreen would be it.")
    return [
        ("product in GF(2^16)", u.gf_multiply(0x1234, 0x5678), 0x6324),
        ("inverse in GF(2^16)", u.gf_inverse(2), 0x8805),
        ("parity chunk 3", u.code_chunk(message, 3).hex(),
         "fe00ad7acb09cad0f02037f8f192b9ce8c064a597cca999a19ababa2047d3c01"),
        ("parity chunk 5", u.code_chunk(message, 5).hex(),
         "f9d56c5428714245c8331bc43e022d52119826b7d8727398e4766eb57ed31cc2"),
        ("header of a split key", header.hex(),
         "5e43481c3eeb397eb192505229b67a201ea893c3e2cb32da8bc342fa4dea0578"
         "a24e16d8f8f9383a95b77050f4d9fd2f5733eec1d63ef3c23ebf9918173669a7"),
        ("vector of a split key", u.sha256(ek).hex(),
         "61a9c583b9edb3b603c61b0da52a5014a5dfafe2df6174924882c508e419b532"),
        ("decapsulation key", u.sha256(decapsulation).hex(),
         "dac268bde6a8dd238e9887117d6b664e7a7a9350ad6b7c08a948e504809572a5"),
        ("shared secret", shared.hex(), "9cddd089ffe70e3996e76f7c8d06746df34d07e8657bc0fcf2bb0e1c3084aea1"),
        ("ct1", u.sha256(ct1).hex(), "c74ff62fbf0d33c4b45296912986c4d767f1ec60f2730b6caaf0bc8b36fd55d0"),
        ("ct2", u.sha256(u.split_finish(header, m, ek)).hex(),
         "fca96fa358ed1da84e0c23f4e2b21c3bf3d62a2b11b6252aee28828b303ef109"),
        ("HKDF, RFC 5869 A.1", u.hkdf(bytes(range(13)), b"\x0b" * 22, bytes(range(0xF0, 0xFA)), 42).hex(),
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
        ("HChaCha20, draft 2.2.1",
         u.hchacha20(bytes(range(32)), b("000000090000004a0000000031415927")).hex(),
         "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"),
        ("XChaCha20-Poly1305, draft A.3", xchacha[1].hex(), "c0875924c1c7987947deafd8780acf49"),
    ]


def plain(value):
    """`value` as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def leaves(value, path):
    """Every value in it, with its path."""
    if isinstance(value, (dict, list)) and value:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, f"{path}/{key}")
    else:
        yield path, value


def layout(value, indent=""):
    """JSON with what is short on one line."""
    line = json.dumps(value, ensure_ascii=False)
    flat = not isinstance(value, (dict, list)) or not value
    if flat or len(line) < 110 or (isinstance(value, list) and not any(isinstance(part, (dict, list)) for part in value)):
        return line
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key)}: {layout(part, inner)}" for key, part in value.items()]
        return "{\n" + ",\n".join(parts) + "\n" + indent + "}"
    return "[\n" + ",\n".join(inner + layout(part, inner) for part in value) + "\n" + indent + "]"


def write():
    groups = []
    for made in GROUPS:
        cases = []
        for name, inputs in made["cases"]():
            inputs = copy.deepcopy(inputs)
            outputs = plain(made["compute"](inputs))
            cases.append({"name": name, "inputs": inputs, "outputs": outputs})
        groups.append({"name": made["name"], "section": made["section"], "cases": cases})
    document = {
        "origin": "Computed by tests/vectors/undertone_1.py, an independent implementation of docs/protocol.md.",
        "licence": "MIT OR Apache-2.0",
        "protocol": "Undertone 1",
        "now": NOW,
        "groups": groups,
    }
    FILE.write_text(layout(document) + "\n", encoding="utf-8")


def check():
    global writing
    writing = False
    passed = failed = 0

    def compare(path, computed, expected):
        nonlocal passed, failed
        if computed == expected:
            passed += 1
        else:
            failed += 1
            print(f"FAILED {path}: {computed} instead of {expected}")

    for name, computed, expected in known_answers():
        compare(f"known answers/{name}", computed, expected)
    document = json.loads(FILE.read_text(encoding="utf-8"))
    functions = {made["name"]: made["compute"] for made in GROUPS}
    compare("groups", sorted(made["name"] for made in document["groups"]), sorted(functions))
    for made in document["groups"]:
        for case in made["cases"]:
            path = f"{made['name']}/{case['name']}"
            try:
                outputs = plain(functions[made["name"]](copy.deepcopy(case["inputs"])))
            except Exception as error:  # an input that was tampered with: the case fails, the others go on
                outputs = {"exception": repr(error)}
            computed, expected = dict(leaves(outputs, path)), dict(leaves(case["outputs"], path))
            for leaf in computed.keys() | expected.keys():
                compare(leaf, computed.get(leaf), expected.get(leaf))
    print(f"{passed} passed, {failed} failed")
    return failed == 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if check() else 1)
    elif sys.argv[1:]:
        sys.exit(__doc__)
    write()
