"""The test modes of verify.py, which a stranger who checks one file does not need.

    verify.py --stream        answers each bundle on stdin (LENGTH LF, then so many bytes) with a line of JSON
    verify.py --vectors DIR   runs DIR/ledger/*.json, DIR/proof/*.json; the last line is "N passed, N failed"
"""
import base64, decimal, json, pathlib, re, sys
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
import verify as verifier
from verify import (H, Object, bare, both_roots, canon_1, canon_e, fit, holds, inclusion_root, is_attested,
                    is_checkpoint, is_message, is_receipt, is_split, is_witness, key_of, node, number_js,
                    opens, prefixed, read_json, text_of, verify)


def main(words):
    if words == ["--stream"]:
        return stream(sys.stdin.buffer, sys.stdout)
    if len(words) == 2 and words[0] == "--vectors":
        return vectors(pathlib.Path(words[1]))
    print(__doc__, file=sys.stderr)
    return 2


def stream(given, answers):
    for length in iter(given.readline, b""):
        data = given.read(int(length))
        report = verify(lambda: data)
        phases = {one["phase"]: one["status"] for one in report["phases"]}
        answers.write(json.dumps({"verdict": report["verdict"], "phases": phases}) + "\n")
        answers.flush()
    return 0


def vectors(folder):
    passed = failed = 0
    for name, run in FILES.items():
        file = folder / f"{name}.json"
        results = list(run(read_json(file.read_bytes()))) if file.exists() else [("the file", "is not there")]
        wrong = [(case, result) for case, result in results if result is not True]
        for case, result in wrong:
            print(f"FAILED {name} {case}: {result}")
        print(f"{name}: {len(results)} checks" + f", {len(wrong)} failed" * bool(wrong))
        passed, failed = passed + len(results) - len(wrong), failed + len(wrong)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def same(case, expected, actual):
    return case, actual == expected or f"expected {expected!r:.300}, got {actual!r:.300}"


def attempt(act, *given):
    """What an act answers, or the ledger's code for why a text is not read."""
    try:
        return act(*given)
    except UnicodeEncodeError:
        return "lone_surrogate"
    except ValueError as error:
        return str(error) if re.fullmatch("[a-z]+(_[a-z]+)+", str(error)) else "invalid_json"


def read(text):
    # A vector file may hold half a surrogate pair: as a text on the wire it would have no UTF-8 at all.
    return read_json(text.encode("utf-8", "surrogatepass"))


def read_payload(text):
    value = read(text)
    return value if isinstance(value, Object) else "not_an_object"


# ---- ledger

def legacy(value):
    """What the first servers hashed: the names of the top level are the members kept at every depth (2.6)."""
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))

    def text(one):
        if isinstance(one, dict):
            # JavaScript reads an inherited `__proto__` too: an object with nothing but a `__proto__` of null.
            inherited = {"__proto__": Object({"__proto__": None})} if one.get("__proto__", 0) == 0 else {}
            kept = {**inherited, **one}
            return "{%s}" % ",".join(f"{canon_1(name)}:{text(kept[name])}" for name in names if name in kept)
        if isinstance(one, list):
            return "[%s]" % ",".join(map(text, one))
        return number_js(one) if type(one) in (int, decimal.Decimal) else canon_1(one)

    return text(value)


def canonical(document):
    for case in document.cases:
        value, name = read(case.json), case.note or case.json[:40]
        yield same(f"{name}: canon-1", case.canonical, canon_1(value))
        yield same(f"{name}: payload_hash", case.payload_hash, H(canon_1(value)))
        yield same(f"{name}: canon-E", case.attestation.canonical, canon_e(value))
        yield same(f"{name}: attested hash", case.attestation.hash, prefixed(canon_e(value)))
        yield same(f"{name}: legacy", case.legacy_replacer.text, legacy(value))
        yield same(f"{name}: legacy hash", case.legacy_replacer.payload_hash, H(legacy(value)))
    for case in document.rejects:
        yield same(case.note, case.reject, attempt(read_payload, case.json))


def chain_v1(document):
    for chain in document.chains:
        parent, hashes = None, ""
        for at, step in enumerate(chain.steps):
            name, payload = f"{chain.name} {at}", read(step.json)
            hashed = H(canon_1(payload)) + bare(parent)
            yield same(f"{name}: payload", step.payload_hash, prefixed(canon_1(payload)))
            yield same(f"{name}: parent", step.parent_hash, parent)
            yield same(f"{name}: hashed text", step.hashed_text, hashed)
            yield same(f"{name}: hash", step.integrity_hash, prefixed(hashed))
            yield same(f"{name}: legacy", step.seed_server.payload_hash, prefixed(legacy(payload)))
            parent, hashes = step.integrity_hash, hashes + bare(step.integrity_hash)
        yield same(f"{chain.name}: all hashes", chain.bundle_chain_hash, prefixed(hashes))


def chain_v2(document):
    signer = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(document.signing_seed_hex))
    for chain in document.chains:
        parent = "root"
        for at, step in enumerate(chain.steps):
            name, payload_hash = f"{chain.name} {at}", H(canon_1(read(step.json)))
            time = re.sub(r"(\.[0-9]+)?Z$", "Z", step.timestamp_in)
            envelope = Object(schema_version="2", agent_id=step.agent_id, key_id=step.key_id, timestamp=time,
                              payload_hash=payload_hash, parent_integrity_hash=parent)
            text = canon_1(envelope)
            yield same(f"{name}: envelope", step.envelope, envelope)
            yield same(f"{name}: text", step.canonical, text)
            yield same(f"{name}: hash", step.integrity_hash, H(text))
            yield same(f"{name}: signature", step.agent_signature_hex, signer.sign(text.encode()).hex())
            parent = step.integrity_hash


def attestation(document):
    for at, case in enumerate(document.cases):
        attested = case.client_attestation
        commit = Object(client_attestation=attested, agent_id=case.agent_id, parent_id=case.parent_id,
                        completeness_claim=case.completeness_claim, payload=read(case.payload_json),
                        metadata=read(case.metadata_json) if case.metadata_json else None)
        yield same(f"{at}: holds", True, holds(is_attested, commit))
        yield same(f"{at}: envelope_hash", attested.envelope_hash, prefixed(case.envelope_canonical))
        for name in attested:
            altered = Object(commit, client_attestation=Object(attested, **{name: "sha256:" + "0" * 64}))
            yield same(f"{at}: {name} altered", False, holds(is_attested, altered))
        yield same(f"{at}: another payload", False, holds(is_attested, Object(commit, payload=Object(x=0))))


def checkpoint(document):
    log, witness_key = key_of(document.server_public_key), key_of(document.witness_public_key)
    root = "genesis"
    for at, case in enumerate(document.cases):
        one = Object(case.envelope, server_sig=case.server_sig, position=case.envelope.log_position)
        witness = Object(witness_id=case.witness_id, witness_sig=case.witness_sig, sig_valid=True,
                         public_key_pem=document.witness_public_key)
        yield same(f"{at}: text", case.canonical, text_of(one))
        yield same(f"{at}: signed", True, is_checkpoint(one, log, named=False))
        yield same(f"{at}: witnessed", True, is_witness(witness, one, log))
        yield same(f"{at}: not witnessed by the log", False, is_witness(witness, one, witness_key))
    for at, case in enumerate(document.log_roots):
        root = H(f"{root}:{case.integrity_hash}")
        yield same(f"log root {at}", case.log_root, root)


def export_chain_hash(document):
    for at, case in enumerate(document.cases):
        yield same(f"{at}: text", case.canonical, canon_1(case.stable))
        yield same(f"{at}: hash", case.chain_hash, prefixed(canon_1(case.stable)))


def byok(document):
    for at, case in enumerate(document.cases):
        key, nonce = AESGCM(bytes.fromhex(case.byokKey)), base64.b64decode(case.iv_b64)
        sealed = base64.b64decode(case.ciphertext_b64) + base64.b64decode(case.auth_tag_b64)
        yield same(f"{at}: plaintext", case.plaintext_utf8, key.decrypt(nonce, sealed, None).decode("utf-8"))
        try:
            key.decrypt(nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), None)
            yield f"{at}: an altered tag", "is not refused"
        except InvalidTag:
            yield f"{at}: an altered tag", True


# ---- proof: {about, cases: [{name, kind, input, expect}]}

def tree_root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node(tree_root(leaves[:half]), tree_root(leaves[half:]))


def inclusion(given):
    fit(given.leaf_index, "count") and fit(given.leaf, "hash") and fit(given.proof, "[step]")
    return given.tree_root == inclusion_root(given.leaf, given.leaf_index, given.tree_size, given.proof)


def consistency(given):
    fit(given.proof, "[hash]")
    roots = both_roots(given.first_size, given.second_size, given.first_root, given.proof)
    return 0 < given.first_size <= given.second_size and roots == (given.first_root, given.second_root)


def signed_checkpoint(text, key):
    one = read(text)
    return fit(one, "signed") and is_checkpoint(one, key, named=False) and one


def witness(given):
    one = Object(given.without("checkpoint_json"), sig_valid=True, witness_name=None, witnessed_at="")
    fit(one, "witness")
    return is_witness(one, read(given.checkpoint_json), "")


def evidence(given):
    texts = given.first_json, given.second_json
    first, second = (signed_checkpoint(text, given.public_key) for text in texts)
    return bool(first and second) and is_split(first, second)


def receipt(given):
    """What a payload has to say for this receipt to be its own."""
    r = read(given.receipt_json)
    fit(r, "object")
    return Object(act="receipt.taken", peer=r.agent_id, message_id=r.message_id, peer_commit=r.commit), r, []


def signed_text(check, *subject):
    """The text whose signature a check asks for; None when it does not come to that."""
    texts, asked = [], verifier.is_signed
    verifier.is_signed = lambda key, signature, text: texts.append(text) or True
    holds(check, *subject)
    verifier.is_signed = asked
    return texts[0] if texts else None


def text_of_receipt(given):
    payload, r, contents = receipt(given)
    return signed_text(is_receipt, payload, Object(r, sig="0" * 128), contents)


def text_of_message(given):
    is_reply = given.signed.scheme == "reply"
    content = {} if given.content is None else {"response" if is_reply else "content": given.content}
    content_hash = H(given.content) if content else given.signed.content_hash
    signed = Object(given.signed, signature="0" * 128, content_hash=content_hash)
    payload = Object(act="message.answered" if is_reply else "message.received", peer=signed["from"],
                     message_id=given.message_id)
    return signed_text(is_message, payload, Object(content, signed=signed), signed.to)


KINDS = {
    "leaf": lambda given: H(b"\0" + canon_1(given).encode("utf-8")),
    "node": lambda given: node(given.left, given.right),
    "root": lambda given: tree_root(given.leaves),
    "log_root": lambda given: H(f"{given.previous or 'genesis'}:{given.integrity_hash}"),
    "inclusion": inclusion,
    "consistency": consistency,
    "checkpoint": lambda given: bool(signed_checkpoint(given.checkpoint_json, given.public_key)),
    "witness": witness,
    "pem": lambda given: key_of(given.pem) if holds(fit, given.pem, "pk") else None,
    "evidence": evidence,
    "receipt": lambda given: is_receipt(*receipt(given)),
    "receipt_text": text_of_receipt,
    "message_text": text_of_message,
    "commitment": lambda given: H("\n".join(
        ("darkmatter.field.v1", given.salt, given.name, canon_1(read(given.value_json))))),
    "opens": lambda given: opens(given.commitment, Object(given, value=read(given.value_json))),
}


def cases_of_kinds(document):
    for case in document.cases:
        yield same(case.name, case.expect, holds(KINDS[case.kind], case.input))


OF_LEDGER = (canonical, chain_v1, chain_v2, attestation, checkpoint, byok, export_chain_hash)
OF_PROOF = ("merkle", "checkpoints", "evidence", "receipts", "commitments")
FILES = {f"ledger/{run.__name__}": run for run in OF_LEDGER}
FILES.update({f"proof/{name}": cases_of_kinds for name in OF_PROOF})
