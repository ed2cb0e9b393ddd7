#!/usr/bin/env python3
"""Checks bundles of DarkMatter ledgers offline, by docs/proof.md alone: no code of the program that writes them.

    verify.py [--json] FILE [FILE...]    a line per phase and a verdict; exit 0 verified, 1 failed, 2 usage
    verify.py --stream | --vectors DIR   for tests; these need suites.py beside this file
"""
import base64, collections, datetime, decimal, functools, hashlib, itertools, json, math, re, sys
try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.exit(print("verify.py needs python3-cryptography (Debian), for Ed25519", file=sys.stderr) or 2)
PHASES = """format export_hash export_signature payloads chain envelopes agent_signatures attestations leaves inclusion
checkpoint witnesses consistency disclosures message_signatures receipts witnessed evidence assurance""".split()
BYTES_MAX, DEPTH_MAX, DIGITS_MAX = 200_000_000, 256, 1000

# ---- JSON as the ledger reads it (ledger.md 2.1); its canonical texts (2.2, 2.3) and RFC 8785
class Object(dict):
    """A JSON object whose members read as attributes; one that is missing reads None."""
    __getattr__ = dict.get
    def without(self, *names): return Object((name, self[name]) for name in self if name not in names)
def need(ok, why, value=True):
    if not ok: raise ValueError(why)
    return value
decode = json.JSONDecoder(  # json's own encoder stops at a Decimal, which is here the exact value of a double
    object_pairs_hook=lambda pairs: need(len(dict(pairs)) == len(pairs), "duplicate_key", Object(pairs)),
    parse_int=lambda token: int(need(len(token.lstrip("-")) <= DIGITS_MAX, "number_too_long", token)),
    parse_float=lambda token: decimal.Decimal(need(math.isfinite(float(token)), "non_finite_number", float(token))),
    parse_constant=lambda name: need(False, f"{name} is no JSON")).decode
STYLE = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
encode, canon_e = json.JSONEncoder(**STYLE).encode, json.JSONEncoder(**STYLE, default=float).encode
def read_json(data):
    try: value = decode(data.decode("utf-8"))
    except RecursionError: raise ValueError("too_deep")
    brackets = re.sub(rb'"(?:[^"\\]|\\.)*"|[^"{}\[\]]+', b"", data)
    depths = itertools.accumulate(1 if one in b"[{" else -1 for one in brackets)
    need(max(depths, default=0) <= DEPTH_MAX, "too_deep")
    canon_1(value).encode("utf-8")  # which lone surrogates do not have
    return value
def written(value, number, order=None):
    if isinstance(value, dict):
        keys = sorted(value, key=order)
        return "{%s}" % ",".join(encode(key) + ":" + written(value[key], number, order) for key in keys)
    if isinstance(value, list): return "[%s]" % ",".join(written(item, number, order) for item in value)
    return encode(value) if value is None or isinstance(value, (str, bool)) else number(value)
def number_1(number):
    text = str(number) if isinstance(number, int) else "%.17g" % number
    return text if isinstance(number, int) or "." in text or "e" in text else text + ".0"
def number_js(number):
    value = float(number)  # OverflowError: an integer beyond all doubles
    if value and not 1e-6 <= abs(value) < 1e21: return re.sub("e([+-])0", r"e\1", repr(value))
    return format(decimal.Decimal(repr(value)).normalize(), "f") if value else "0"
def canon_1(value):
    try: return encode(value)
    except TypeError: return written(value, number_1)
def canon_jcs(value): return written(value, number_js, lambda key: key.encode("utf-16-be"))

# ---- Hashes, keys, signatures; trees (RFC 9162, from the top down)
def H(data): return hashlib.sha256(data.encode("utf-8") if isinstance(data, str) else data).hexdigest()
def prefixed(text): return "sha256:" + H(text)
def bare(text): return text[len("sha256:"):] if text else "root"
def spki_of(pem): return base64.b64decode(pem.split("\n")[1])
def key_of(pem): return spki_of(pem)[-32:].hex()
def node(left, right): return H(b"\x01" + bytes.fromhex(left) + bytes.fromhex(right))
PRIME, ORDER_8 = 2**255 - 19, 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
@functools.lru_cache(32768)
def is_signed(key, signature, text):
    """OpenSSL takes keys of small order, under which one signature fits any text; RFC 8032 forbids y >= p."""
    y = int.from_bytes(bytes.fromhex(key), "little") % 2**255
    if y >= PRIME or y in (0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8): return False
    public_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    try: return public_key.verify(bytes.fromhex(signature), text.encode("utf-8")) is None
    except InvalidSignature: return False
def inclusion_root(leaf, index, size, proof):
    """None when the proof has not the shape of this place in a tree of this size."""
    if size < 2 or not proof: return leaf if (index, size, proof) == (0, 1, []) else None
    half, top = 1 << (size - 1).bit_length() - 1, proof[-1]
    right = index >= half
    inner = inclusion_root(leaf, index - half * right, size - half if right else half, proof[:-1])
    if not inner or top.direction != ("left" if right else "right"): return None
    return node(top.hash, inner) if right else node(inner, top.hash)
def both_roots(first, second, known, proof):
    """The roots of both sizes by a consistency proof; `known` is that of the first while it is a whole tree."""
    if first == second: return (known or proof[0],) * 2 if len(proof) == (not known) else (None, None)
    if not proof: return None, None
    half, top = 1 << (second - 1).bit_length() - 1, proof[-1]
    right = first > half
    old, new = both_roots(first - half * right, second - half if right else half, not right and known, proof[:-1])
    return (old and node(top, old), new and node(top, new)) if right else (old, new and node(new, top))

# ---- Forms of scalars, as patterns: of ' and the text itself, of anything else as canon-1 writes it
DAY, CLOCK, END = "'[0-9]{4}(-[0-9]{2}){2}", "([01][0-9]|2[0-3]):[0-5][0-9]", "[AEIMQUYcgkosw048]"
FORMS = {name: re.compile(pattern, re.DOTALL).fullmatch for name, pattern in {
    "text": "'.*", "hash": "'[0-9a-f]{64}", "prefixed": "'sha256:[0-9a-f]{64}", "parent": "'(root|[0-9a-f]{64})",
    "sig": "'[0-9a-f]{128}", "ctx": "'ctx_[0-9]+_([0-9a-f]{8}|[0-9a-f]{12})", "cp": "'cp_[0-9]+_[0-9a-f]{8}",
    "export": "'bundle_[0-9]+_[0-9a-f]{8}", "wit": "'wit_[0-9a-f]{16}", "log": "'mesh/[0-9a-f]{64}",
    "side": "'(left|right)", "level": "'L[123]", "line": "'[^\n]*", "message": "'[^\n]{1,128}",
    "rung": "'(stored|asked|woken|read|acted|refused|expired)", "detail": "'.{0,1000}", "object": r"\{.*",
    "count": "0|[1-9][0-9]{0,15}", "bool": "true|false", "true": "true", "null": "null", "any": ".*",
    "pem": f"'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA[A-Za-z0-9+/]{{42}}{END}=\n-----END PUBLIC KEY-----\n",
    "raw32": f"'[A-Za-z0-9_-]{{42}}{END}", "raw64": "'[A-Za-z0-9_-]{85}[AQgw]",
    "second": f"{DAY}T{CLOCK}:[0-5][0-9]Z",
    "zoned": f"{DAY}[T ]{CLOCK}(:[0-5][0-9]([.][0-9]{{1,9}})?)?(Z|[+-][0-9]{{2}}:?[0-9]{{2}})",
    "fields": r'\{\}|\{("(?:[^"\\]|\\.)*":"[0-9a-f]{64}"[,}])+'}.items()}
# Forms of objects: "form: member member"; "form?" may be null, "member?" missing; OPEN: others may stand beside.
SIGNED = """cp: checkpoint_id cp?: previous_cp_id hash: log_root tree_root hash?: previous_tree_root second: timestamp
  =3: schema_version count: log_position position tree_size sig: server_sig"""
OLDER = "line: timestamp null: to webhook metadata_hash hash: from content_hash sig: signature"
OF_LOG, OBJECTS = ["log", "consistency", "disclosures", "witnessed", "evidence", "export_sig"], {}
for name, members in re.findall(r"(\w+) \((.*?)\)", f"""
bundle (spec: _spec metadata: metadata summary: integrity [passport]: chain [commit]: commits covering?: checkpoint
  server: server_pubkey prefixed: export_hash log: log? [earlier]: consistency? [disclosure]: disclosures?
  [witnessed]: witnessed? [evidence]: evidence? sig: export_sig?) range (second: from to)
spec (=3.0: bundle_version text: spec_url verifier_url verify_command [text]: phases OPEN)
metadata (=1.0: export_version export: export_id count: chain_length text?: trace_id
  text: ctx_id lineage_root exported_at exported_by OPEN) server (=Ed25519: algorithm pem: public_key text: use text?: pubkey_url)
summary (true: chain_intact =sha256: algorithm prefixed: root_hash tip_hash chain_hash range: timestamp_range)
passport (text: $schema branch_key created_at text?: payload_pruned_at? =1.0: schema_version ctx: id
  ctx?: parent_id text?: trace_id author: created_by event: event object?: payload scheme_1: integrity
  scheme_2: integrity_v2 lineage: lineage level: assurance_level bool?: completeness_claim OPEN)
author (text: agent_id agent_name text?: role provider model OPEN)
lineage (text?: fork_of fork_point lineage_root OPEN)
event (text: type text?: to_agent_id to_agent_name second: timestamp OPEN) scheme_1 (prefixed: payload_hash
  integrity_hash prefixed?: parent_hash text: verification_status text?: verification_reason verified_at OPEN)
scheme_2 (prefixed: payload_hash integrity_hash parent: parent_integrity_hash text: key_id signature_status
  envelope: envelope bool?: client_match OPEN) envelope (text: agent_id key_id parent: parent_integrity_hash
  hash: payload_hash =2: schema_version second: timestamp OPEN) commit (text: agent_id key_id second: timestamp
  prefixed: payload_hash integrity_hash parent: parent_integrity_hash sig?: agent_signature? pem?: agent_public_key?
  object?: client_envelope? client_attestation? metadata? leaf: _proof OPEN)
leaf (count: log_position tree_size hash: leaf_hash tree_root second: accepted_at client_timestamp text: proof_status
  text?: pubkey_url checkpoint_url verify_url inclusion: inclusion_proof under?: checkpoint_inclusion?)
inclusion (count: leaf_index tree_size [step]: proof) step (side: direction hash: hash)
under (text: checkpoint_id count: leaf_index tree_size hash: tree_root [step]: proof)
signed ({SIGNED}) covering ({SIGNED} [witness]: witness_signatures count: witness_count)
witness (wit: witness_id text?: witness_name sig: witness_sig text: witnessed_at bool: sig_valid pem: public_key_pem)
earlier (signed: checkpoint [witness]: witness_signatures [hash]: proof)
disclosure (hash: commit text: salt name any: value) evidence (hash: agent_id signed: first second)
witnessed (hash: agent_id signed: checkpoint sig: witness_sig text: witnessed_at)
of_node (=main: branch_key =default: key_id null: completeness_claim nodes_event: event nodes_v2: integrity_v2
  payload?: payload nodes_leaf: _proof OPEN)
nodes_event (=commit: type OPEN) nodes_leaf (null: pubkey_url checkpoint_url verify_url OPEN)
nodes_v2 (=default: key_id null: client_match nodes_envelope: envelope OPEN) nodes_envelope (=default: key_id OPEN)
nodes_server (=checkpoint: use null: pubkey_url OPEN)
payload (text: act message_id? fields: fields hash?: peer hash: peer_commit?)
dm_sig (=dm_sig: scheme line: timestamp webhook hash: from to content_hash metadata_hash sig: signature)
signature_hex (=signature_hex: scheme {OLDER}) reply (=reply: scheme {OLDER})
receipt (hash: agent_id from_agent_id content_hash hash?: commit message: message_id zoned: at detail?: detail
  rung: rung sig: sig) attestation (=dm-envelope-v1: version =Ed25519: algorithm text: agent_id key_id
  client_timestamp prefixed: payload_hash envelope_hash prefixed?: metadata_hash ctx?: parent_id
  bool: completeness_claim? raw32: public_key raw64: signature OPEN)""", re.DOTALL):
    OBJECTS[name], form = {}, ""
    for word in members.split():
        if word.endswith(":"): form = word[:-1]
        else: OBJECTS[name][word.rstrip("?")] = (form, word.endswith("?") or word == "OPEN")
def fit(value, form, where=""):
    """@raises ValueError that names the first place without its form"""
    if form.endswith("?"): return value is None or fit(value, form[:-1], where)
    if form[0] == "[" and isinstance(value, list):
        return [fit(item, form[1:-1], f"{where}[{at}]") for at, item in enumerate(value)]
    if form in OBJECTS and isinstance(value, Object):
        known = OBJECTS[form]
        odd = [name for name in value if name not in known and "OPEN" not in known]
        odd += [name for name in known if name not in value and not known[name][1]]
        need(not odd, f"{where}: unknown or missing: {', '.join(odd)}")
        return [fit(value[name], known[name][0], f"{where}.{name}") for name in value if name in known]
    text = "'" + value if isinstance(value, str) else canon_1(value)
    need(text == "'" + form[1:] if form[0] == "=" else form in FORMS and FORMS[form](text), f"{where}: not {form}")
    if form in ("second", "zoned"): datetime.date.fromisoformat(value[:10])
    return need(form != "count" or value < 2**53, f"{where}: not {form}")
def read_bundle(data):
    need(len(data) <= BYTES_MAX, f"more than {BYTES_MAX} bytes")
    b = read_json(data)
    fit(b, "bundle", "bundle")
    need(b.chain and len(b.chain) == len(b.commits) == len({c.id for c in b.chain}), "chain: none, other, repeated")
    need(sum(name in b for name in OF_LOG) in (0, len(OF_LOG)), "log: not with all its members")
    if b.log: fit(b.commits, "[of_node]", "commits") and fit(b.server_pubkey, "nodes_server", "server_pubkey")
    for passport, c in zip(b.chain, b.commits):
        need(canon_1(passport) == canon_1(c.without(*OBJECTS["commit"])), f"{c.id}: chain and commits differ")
        need(c.payload_pruned_at or c.payload is not None, f"{c.id}: no payload")
        need((c._proof.checkpoint_inclusion is None) == (b.checkpoint is None), f"{c.id}: checkpoint_inclusion")
    return b

# ---- The phases of section 4, claim by claim: (phase, id, whether it holds; None: cannot be checked)
def text_of(checkpoint):
    return canon_1(checkpoint.without("server_sig", "position", "witness_signatures", "witness_count"))
def is_checkpoint(one, key):
    return one.tree_size - 1 == one.log_position == one.position and is_signed(key, one.server_sig, text_of(one))
def is_witness(one, checkpoint, log_key):
    key, name = key_of(one.public_key_pem), "wit_" + H(spki_of(one.public_key_pem))[:16]
    return one.sig_valid and one.witness_id == name and key != log_key and is_signed(key, one.witness_sig, text_of(checkpoint))
def is_split(one, two):
    another_root = (one.tree_root, one.log_root) != (two.tree_root, two.log_root)
    another_past = two.previous_tree_root != one.tree_root or two.tree_size < one.tree_size
    return (one.tree_size == two.tree_size and another_root or two.previous_cp_id == one.checkpoint_id and another_past
            or one.checkpoint_id == two.checkpoint_id and text_of(one) != text_of(two))
def is_attested(c):
    a, known = c.client_attestation, OBJECTS["attestation"]
    fit(a, "attestation")
    text = canon_e(Object((name, a[name]) for name in a if name in known).without("public_key", "envelope_hash", "signature"))
    key, signature = (base64.urlsafe_b64decode(raw + "==").hex() for raw in (a.public_key, a.signature))
    need((a.agent_id, a.parent_id, a.completeness_claim) == (c.agent_id, c.parent_id, c.completeness_claim), "facts")
    need(c.payload is None or a.payload_hash == prefixed(canon_e(c.payload)), "payload")
    need(a.metadata_hash == prefixed(canon_e(c.metadata or {})) or a.metadata_hash is c.metadata is None, "metadata")
    return a.envelope_hash == prefixed(text) and is_signed(key, signature, text)
def message_text(signed, message_id, word):
    lines = [signed["from"], message_id, signed.timestamp]
    if signed.scheme != "dm_sig": return "\n".join([*lines, word])
    return "\n".join(["darkmatter.message.v1", *lines, signed.to, signed.content_hash, signed.metadata_hash, signed.webhook])
def is_message(p, said, me):
    signed, reply = said.signed, p.act == "message.answered"
    whole, word = not reply and getattr(signed, "scheme", "") == "dm_sig", "response" if reply else "content"
    fit(signed, "dm_sig" if whole else "reply" if reply else "signature_hex")
    need(reply or p.act == "message.received", "act")
    need(signed["from"] == p.peer and signed.to in (None, me) and fit(p.message_id, "line"), "from, to, message_id")
    need(word not in said or fit(said[word], "text") and H(said[word]) == signed.content_hash, word)
    if "metadata" in said:
        fit(said.metadata, "object")
        commit = said.metadata.commit if FORMS["hash"](f"'{said.metadata.commit}") else None
        need(commit == p.peer_commit and signed.metadata_hash in (None, H(canon_jcs(said.metadata))), "metadata")
    if not whole and word not in said: return None
    return is_signed(p.peer, signed.signature, message_text(signed, p.message_id, said.get(word)))
def receipt_text(r):
    return "\n".join(["darkmatter.receipt.v1", r.agent_id, r.message_id, r.from_agent_id, r.content_hash, r.rung, r.at,
                      r.commit or "-", "-" if r.detail is None else H(r.detail)])
def is_receipt(r):
    return fit(r, "receipt") and is_signed(r.agent_id, r.sig, receipt_text(r))
def is_taken(p, r, contents):
    named = is_receipt(r) and (p.act, p.peer, p.message_id, p.peer_commit) == (
        "receipt.taken", r.agent_id, r.message_id, r.commit)
    return named and all(fit(one, "text") and H(one) == r.content_hash for one in contents)
def opens(commitment, d):
    text = "\n".join(("darkmatter.field.v1", d.salt, d.name, canon_1(d.value)))
    return bool(FORMS["hash"](f"'{d.salt}")) and commitment == H(text)
NO_PAYLOAD = Object(fields=Object())
NO_COMMIT = (-1, Object(id="a commit of another chain", payload=NO_PAYLOAD), Object())
OF_FIELD = {"signed": "message_signatures", "receipt": "receipts"}
def holds(check, *subject):
    """A check that what is there is not fit for does not hold."""
    try: return check(*subject)
    except (ValueError, OverflowError): return False
def claims(b):
    key, own, cp, meta, first, tip = (b.log and b.log[len("mesh/"):], key_of(b.server_pubkey.public_key), b.checkpoint,
                                      b.metadata, b.commits[0], b.commits[-1])
    earlier = [("consistency", one.checkpoint, one.witness_signatures) for one in b.consistency or []]
    listed = earlier + ([("witnesses", cp, cp.witness_signatures)] if cp else [])
    every = [one for _, one, _ in listed]
    yield "export_hash", meta.export_id, b.export_hash == prefixed(canon_1(b.without("export_hash")))
    text = "darkmatter.export.v1\n" + H(canon_1(b.without("export_hash", "export_sig")))
    if key: yield "export_signature", key, key == meta.exported_by == own and is_signed(key, b.export_sig, text)
    seen = [one.tree_size for _, one, all_of in listed for each in all_of if is_witness(each, one, own)]
    for before, c in zip([Object(integrity=Object(), _proof=Object(log_position=-1)), *b.commits], b.commits):
        v1, v2, proof, at, attested = c.integrity, c.integrity_v2, c._proof, c._proof.log_position, False
        inside, under, before_1 = proof.inclusion_proof, proof.checkpoint_inclusion, before.integrity.integrity_hash
        yield "payloads", c.id, None if c.payload is None else v1.payload_hash == prefixed(canon_1(c.payload))
        yield "chain", c.id, (c.parent_id, v1.parent_hash, v1.integrity_hash) == (
            before.id, before_1, prefixed(bare(v1.payload_hash) + bare(before_1)))
        yield "chain", c.id, (c.trace_id, c.created_by.agent_id, c.lineage.lineage_root) == (
            meta.trace_id, key or first.created_by.agent_id, first.id)
        envelope = {"agent_id": c.agent_id, "key_id": c.key_id, "parent_integrity_hash": c.parent_integrity_hash,
                    "payload_hash": bare(c.payload_hash), "schema_version": "2", "timestamp": c.timestamp}
        yield "envelopes", c.id, (c.integrity_hash, c.parent_integrity_hash, v2.envelope, c.agent_id, c.payload_hash) == (
            prefixed(canon_1(envelope)), bare(before.integrity_hash), envelope, c.created_by.agent_id, v1.payload_hash)
        yield "envelopes", c.id, all(v2[name] == c[name] for name in v2 if name in OBJECTS["commit"])
        if key or c.agent_signature:
            signer = c.agent_signature and c.agent_public_key and key_of(c.agent_public_key)
            signed = signer and is_signed(signer, c.agent_signature, canon_1(v2.envelope))
            yield "agent_signatures", c.id, bool(signed) and signer == (key or signer)
        if c.client_attestation is not None:
            attested = holds(is_attested, c)
            yield "attestations", c.id, attested
        leaf = {"accepted_at": proof.accepted_at, "commit_id": c.id, "integrity_hash": bare(c.integrity_hash)}
        yield "leaves", c.id, before._proof.log_position < at == inside.leaf_index == (under or inside).leaf_index
        yield "leaves", c.id, proof.leaf_hash == H(b"\0" + canon_1({**leaf, "log_position": at}).encode("utf-8"))
        yield "inclusion", c.id, at + 1 == inside.tree_size == proof.tree_size and proof.tree_root == inclusion_root(
            proof.leaf_hash, inside.leaf_index, inside.tree_size, inside.proof)
        if under:
            same = all(under[name] == cp[name] for name in ("checkpoint_id", "tree_size", "tree_root"))
            yield "inclusion", c.id, same and cp.tree_root == inclusion_root(
                proof.leaf_hash, under.leaf_index, under.tree_size, under.proof)
        yield "assurance", c.id, {"L1": True, "L2": at < max(seen, default=0), "L3": attested}[c.assurance_level]
    ends = {"ctx_id": tip.id, "lineage_root": first.id, "chain_length": len(b.commits),
            "root_hash": first.integrity.integrity_hash, "tip_hash": tip.integrity.integrity_hash}
    ends["chain_hash"] = prefixed(canon_1({**ends, "chain_ids": [c.id for c in b.commits]}))
    stated, times = {**meta, **b.integrity}, {"from": first.timestamp, "to": tip.timestamp}
    yield "chain", tip.id, stated == {**stated, **ends, "timestamp_range": times}
    if cp: yield "checkpoint", cp.checkpoint_id, is_checkpoint(cp, own) and cp.tree_size > tip._proof.log_position
    for phase, one, signatures in listed:
        times_named = collections.Counter(each.witness_id for each in signatures)
        for each in signatures:
            yield phase, each.witness_id, is_witness(each, one, own) and times_named[each.witness_id] == 1
    if cp and cp.witness_count != len(cp.witness_signatures): yield "witnesses", cp.checkpoint_id, False
    by_id, by_size = {one.checkpoint_id: one for one in every}, {one.tree_size: one for one in every}
    for at, one in enumerate(every if earlier else []):
        if one is not cp:
            later, ranges = cp and every[at + 1], one.tree_size > first._proof.log_position
            ordered = cp and ranges and one.tree_size <= later.tree_size and one.timestamp <= later.timestamp
            roots = ordered and both_roots(one.tree_size, cp.tree_size, one.tree_root, b.consistency[at].proof)
            yield "consistency", one.checkpoint_id, is_checkpoint(one, own) and roots == (one.tree_root, cp.tree_root)
        others = by_id[one.checkpoint_id], by_size[one.tree_size], by_id.get(one.previous_cp_id, one)
        yield "consistency", one.checkpoint_id, not any(is_split(other, one) for other in others)
    said, last, rungs = {}, (-1, ""), set()
    for at, c in enumerate(b.commits):
        said[bare(c.integrity_hash)] = (at, Object(c, payload=c.payload or NO_PAYLOAD), Object())
    for d in b.disclosures or []:
        at, c, values = said.get(d.commit, NO_COMMIT)
        yield "disclosures", c.id, opens(c.payload.fields.get(d.name), d) and last < (at, d.name)
        last, values[d.name] = (at, d.name), d.value
    contents = [values["content"] for _, c, values in said.values()
                if "content" in values and c.payload.act == "message.sent"]
    for _, c, values in said.values() if key else []:
        for name in set(c.payload.fields) - set(values):
            yield "disclosures", c.id, None
            if name in OF_FIELD: yield OF_FIELD[name], c.id, None
    for d in b.disclosures or []:
        _, c, values = said.get(d.commit, NO_COMMIT)
        if c is NO_COMMIT[1]: continue
        if d.name == "signed": yield "message_signatures", c.id, holds(is_message, c.payload, values, key)
        if d.name == "receipt":
            rung = isinstance(d.value, Object) and canon_1([d.value.agent_id, d.value.rung])
            yield "receipts", c.id, rung not in rungs and holds(is_taken, c.payload, d.value, contents)
            rungs.add(rung)
    for one in b.witnessed or []:
        signed = is_checkpoint(one.checkpoint, one.agent_id)
        yield "witnessed", one.agent_id, signed and is_signed(key, one.witness_sig, text_of(one.checkpoint))
    for one in b.evidence or []:
        signed = is_checkpoint(one.first, one.agent_id) and is_checkpoint(one.second, one.agent_id)
        yield "evidence", one.agent_id, signed and is_split(one.first, one.second)
def verify(read):
    """`read()` gives the bytes. Answers the phases in order; when none failed, the bundle is verified."""
    found = {phase: {True: [], None: [], False: []} for phase in PHASES}
    try:
        bundle = read_bundle(read())
        for phase, who, ok in itertools.chain([("format", "", True)], claims(bundle)):
            found[phase][None if ok is None else bool(ok)].append(who)
    except (ValueError, OSError, MemoryError) as error:
        found["format"][False].append(str(error) or "too large for this machine")
    report = []
    for phase, held in found.items():
        status = "fail" if held[False] else "pass" if held[True] else "not checked"
        detail = f"{len(held[True])} hold" + f", {len(held[None])} cannot be checked" * bool(held[None])
        report.append({"phase": phase, "status": status, "checked": len(held[True]), "detail": detail,
                       "failing": held[False][0] if held[False] else None})
    return report
def read_file(name):
    with open(name, "rb") as file: return file.read(BYTES_MAX + 1)
def main(words):
    if words[:1] in (["--stream"], ["--vectors"]):
        import suites
        return suites.main(words)
    files, failed = [word for word in words if word != "--json"], False
    if not files or any(file.startswith("--") for file in files):
        print(__doc__, file=sys.stderr)
        return 2
    for file in files:
        report = verify(functools.partial(read_file, file))
        verdict = "failed" if any(one["status"] == "fail" for one in report) else "verified"
        failed = failed or verdict == "failed"
        if "--json" in words: print(json.dumps({"file": file, "verdict": verdict, "phases": report}))
        for one in [] if "--json" in words else report:
            print(f"{one['status'].upper():11} {one['phase']}: {ascii(one['failing'])[1:-1] + ': ' if one['failing'] else ''}{one['detail']}")
        if "--json" not in words: print(f"{verdict.upper()} {file}")
    return 1 if failed else 0
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
