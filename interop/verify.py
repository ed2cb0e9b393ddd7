#!/usr/bin/env python3
"""Checks bundles of DarkMatter ledgers offline, by docs/proof.md alone: shares no code with what writes them.

    verify.py [--json] FILE [FILE...]    a line per phase and a verdict; exit 0 verified, 1 failed, 2 usage
    verify.py --stream | --vectors DIR   for tests; these need suites.py beside this file
"""
import base64, datetime, decimal, functools, hashlib, itertools, json, math, re, sys
try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError as error:
    sys.exit(f"verify.py needs the package python3-cryptography, for Ed25519: {error}")
PHASES = """format export_hash export_signature payloads chain envelopes agent_signatures attestations leaves inclusion
  checkpoint witnesses consistency disclosures message_signatures receipts witnessed evidence assurance"""
BYTES_MAX = 200_000_000
# ---- JSON as the ledger reads it (ledger.md 2.1); its canonical texts (2.2, 2.3) and RFC 8785
class Object(dict):
    __getattr__ = dict.get  # members read as attributes, missing ones as None
    def without(self, *names): return Object((name, self[name]) for name in self if name not in names)
def need(ok, why, value=True):
    if not ok: raise ValueError(why)
    return value
decode = json.JSONDecoder(  # json's own encoder stops at a Decimal, which is here the exact value of a double
    object_pairs_hook=lambda pairs: need(len(dict(pairs)) == len(pairs), "duplicate_key", Object(pairs)),
    parse_int=lambda token: int(need(len(token.lstrip("-")) <= 1000, "number_too_long", token)),
    parse_float=lambda text: decimal.Decimal(need(math.isfinite(float(text)), "non_finite_number", float(text))),
    parse_constant=int).decode  # which refuses NaN and Infinity
STYLE = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
encode, canon_e = json.JSONEncoder(**STYLE).encode, json.JSONEncoder(**STYLE, default=float).encode
def read_json(data):
    try: value = decode(data.decode("utf-8"))
    except RecursionError: raise ValueError("too_deep")
    brackets = re.sub(rb'"(?:[^"\\]|\\.)*"|[^"{}\[\]]+', b"", data)
    need(max(itertools.accumulate(1 if one in b"[{" else -1 for one in brackets), default=0) <= 256, "too_deep")
    canon_1(value).encode("utf-8")  # which lone surrogates do not have
    return value
def written(value, number, order=None):
    if isinstance(value, list): return "[%s]" % ",".join(written(item, number, order) for item in value)
    if value is None or isinstance(value, (str, bool)): return encode(value)
    if not isinstance(value, dict): return number(value)
    members = (encode(key) + ":" + written(value[key], number, order) for key in sorted(value, key=order))
    return "{%s}" % ",".join(members)
def number_1(number):
    return str(number) if isinstance(number, int) else re.sub("^-?[0-9]+$", r"\g<0>.0", "%.17g" % number)
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
    y = int.from_bytes(bytes.fromhex(key), "little") % 2**255
    # OpenSSL takes y >= p (RFC 8032 5.1.3), and points of small order, under which one signature fits any text.
    if y >= PRIME or y in (0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8): return False
    verify_by = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify
    try: return verify_by(bytes.fromhex(signature), text.encode("utf-8")) is None
    except InvalidSignature: return False
def inclusion_root(leaf, index, size, proof):  # None when the proof has not the shape of this place
    if size < 2 or not proof: return leaf if (index, size, proof) == (0, 1, []) else None
    half, top = 1 << (size - 1).bit_length() - 1, proof[-1]
    right = index >= half
    inner = inclusion_root(leaf, index - half * right, size - half if right else half, proof[:-1])
    if not inner or top.direction != ("left" if right else "right"): return None
    return node(top.hash, inner) if right else node(inner, top.hash)
def both_roots(first, second, known, proof):  # `known`: the first tree is whole here, and this its root
    if first == second: return (known or proof[0],) * 2 if len(proof) == (not known) else (None, None)
    if not proof: return None, None
    half, top = 1 << (second - 1).bit_length() - 1, proof[-1]
    right = first > half
    sizes = (first - half, second - half, None) if right else (first, half, known)
    old, new = both_roots(*sizes, proof[:-1])
    return (old and node(top, old), new and node(top, new)) if right else (old, new and node(new, top))
# ---- Forms of scalars, as patterns: of ' and the text itself, of anything else as canon-1 writes it
DAY, CLOCK, END = "'[0-9]{4}(-[0-9]{2}){2}", "([01][0-9]|2[0-3]):[0-5][0-9]", "[AEIMQUYcgkosw048]"
FORMS = {name: re.compile(pattern, re.DOTALL).fullmatch for name, pattern in {
    "text": "'.*", "hash": "'[0-9a-f]{64}", "sha256": "'sha256:[0-9a-f]{64}", "up": "'(root|[0-9a-f]{64})",
    "sig": "'[0-9a-f]{128}", "ctx": "'ctx_[0-9]+_([0-9a-f]{8}|[0-9a-f]{12})", "cp": "'cp_[0-9]+_[0-9a-f]{8}",
    "export": "'bundle_[0-9]+_[0-9a-f]{8}", "wit": "'wit_[0-9a-f]{16}", "log": "'mesh/[0-9a-f]{64}",
    "side": "'(left|right)", "level": "'L[123]", "line": "'[^\n]*", "message": "'[^\n]{1,128}",
    "rung": "'(stored|asked|woken|read|acted|refused|expired)", "detail": "'.{0,1000}", "object": r"\{.*",
    "count": "0|[1-9][0-9]{0,15}", "bool": "true|false", "true": "true", "null": "null", "any": ".*",
    "raw32": f"'[A-Za-z0-9_-]{{42}}{END}", "raw64": "'[A-Za-z0-9_-]{85}[AQgw]",
    "pem": f"'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA[A-Za-z0-9+/]{{42}}{END}=\n-----END PUBLIC KEY-----\n",
    "zoned": f"{DAY}[T ]{CLOCK}(:[0-5][0-9]([.][0-9]{{1,9}})?)?(Z|[+-][0-9]{{2}}:?[0-9]{{2}})",
    "time": f"{DAY}T{CLOCK}:[0-5][0-9]Z", "fields": r'\{\}|\{("(?:[^"\\]|\\.)*":"[0-9a-f]{64}"[,}])+'}.items()}
# Forms of objects: "form: member member"; "form?" may be null, "member?" missing; OPEN: others may stand beside.
SIGNED = """cp: checkpoint_id cp?: previous_cp_id hash: log_root tree_root hash?: previous_tree_root time: timestamp
  =3: schema_version count: log_position position tree_size sig: server_sig"""
OLDER = "line: timestamp null: to webhook metadata_hash hash: from content_hash sig: signature"
OF_LOG, OBJECTS = ["log", "consistency", "disclosures", "witnessed", "evidence", "export_sig"], {}
SPECIAL, NOTHING = {"signed": "message_signatures", "receipt": "receipts"}, Object(fields={})
OF_NODE = ("main", "commit", "checkpoint", "default", "default", "default", None, None, None, None, None, None)
for name, text in re.findall(r"(\w+) \((.*?)\)", f"""
bundle (spec: _spec metadata: metadata summary: integrity [passport]: chain [commit]: commits covering?: checkpoint
  server: server_pubkey sha256: export_hash log: log? [earlier]: consistency? [disclosure]: disclosures?
  [witnessed]: witnessed? [evidence]: evidence? sig: export_sig?) range (time: from to)
spec (=3.0: bundle_version text: spec_url verifier_url verify_command [text]: phases OPEN) metadata (text: ctx_id
  lineage_root exported_at exported_by text?: trace_id =1.0: export_version export: export_id count: chain_length OPEN)
summary (true: chain_intact =sha256: algorithm sha256: root_hash tip_hash chain_hash range: timestamp_range)
passport (text: $schema branch_key created_at text?: trace_id payload_pruned_at? =1.0: schema_version ctx: id
  ctx?: parent_id author: created_by event: event object?: payload v1: integrity v2: integrity_v2 lineage: lineage
  level: assurance_level bool?: completeness_claim OPEN) lineage (text?: fork_of fork_point lineage_root OPEN)
author (text: agent_id agent_name text?: role provider model OPEN) event (text: type label? time: timestamp
  text?: to_agent_id to_agent_name OPEN) v1 (sha256: payload_hash integrity_hash sha256?: parent_hash
  text: verification_status text?: verification_reason verified_at OPEN) v2 (sha256: payload_hash integrity_hash
  up: parent_integrity_hash text: key_id signature_status envelope: envelope bool?: client_match OPEN)
envelope (text: agent_id key_id up: parent_integrity_hash hash: payload_hash =2: schema_version time: timestamp
  OPEN) commit (text: agent_id key_id time: timestamp sha256: payload_hash integrity_hash leaf: _proof
  up: parent_integrity_hash sig?: agent_signature? pem?: agent_public_key?
  object?: client_envelope? client_attestation? metadata? OPEN)
leaf (count: log_position tree_size hash: leaf_hash tree_root time: accepted_at client_timestamp text: proof_status
  text?: pubkey_url checkpoint_url verify_url inclusion: inclusion_proof under?: checkpoint_inclusion?)
inclusion (count: leaf_index tree_size [step]: proof) step (side: direction hash: hash) under (text: checkpoint_id
  count: leaf_index tree_size hash: tree_root [step]: proof) earlier (signed: checkpoint
  [witness]: witness_signatures [hash]: proof) signed ({SIGNED})
covering ({SIGNED} [witness]: witness_signatures count: witness_count) witness (wit: witness_id text?: witness_name
  sig: witness_sig text: witnessed_at bool: sig_valid pem: public_key_pem) evidence (hash: agent_id signed: first second)
server (=Ed25519: algorithm pem: public_key text: use text?: pubkey_url) disclosure (hash: commit text: salt name
  any: value) witnessed (hash: agent_id signed: checkpoint sig: witness_sig text: witnessed_at)
payload (text: act message_id? fields: fields hash?: peer hash: peer_commit?) dm_sig (=dm_sig: scheme
  line: timestamp webhook hash: from to content_hash metadata_hash sig: signature)
signature_hex (=signature_hex: scheme {OLDER}) reply (=reply: scheme {OLDER})
receipt (hash: agent_id from_agent_id content_hash hash?: commit message: message_id zoned: at detail?: detail
  rung: rung sig: sig) attestation (=dm-envelope-v1: version =Ed25519: algorithm text: agent_id key_id
  client_timestamp sha256: payload_hash envelope_hash sha256?: metadata_hash ctx?: parent_id
  bool: completeness_claim? raw32: public_key raw64: signature OPEN)""", re.DOTALL):
    parts = re.split(r"\s*(\S+):\s+", text)
    OBJECTS[name] = {member.rstrip("?"): (form, member.endswith("?") or member == "OPEN")
                     for form, members in zip(parts[1::2], parts[2::2]) for member in members.split()}
def fit(value, form, where=""):  # ValueError: the first place without its form
    if form.endswith("?"): return value is None or fit(value, form[:-1], where)
    if form[0] == "[" and isinstance(value, list):
        return [fit(item, form[1:-1], f"{where}[{at}]") for at, item in enumerate(value)]
    if form in OBJECTS and isinstance(value, Object):
        known = OBJECTS[form]
        odd = [n for n in {*value, *known} if not (n in value or known[n][1] if n in known else "OPEN" in known)]
        need(not odd, f"{where}: unknown or missing: {', '.join(odd)}")
        return [fit(value[name], known[name][0], f"{where}.{name}") for name in value if name in known]
    text = "'" + value if isinstance(value, str) else canon_1(value)
    need(text == "'" + form[1:] if form[0] == "=" else form in FORMS and FORMS[form](text), f"{where}: not {form}")
    if form in ("time", "zoned"): datetime.date.fromisoformat(value[:10])
    return need(form != "count" or value < 2**53, f"{where}: not {form}")
def read_bundle(data):
    need(len(data) <= BYTES_MAX, f"more than {BYTES_MAX} bytes")
    b = read_json(data)
    fit(b, "bundle", "bundle")
    need(b.chain and len(b.chain) == len(b.commits) == len({c.id for c in b.chain}), "chain: none, other, twice")
    need(sum(name in b for name in OF_LOG) in (0, len(OF_LOG)), "log: not with all its members")
    for passport, c in zip(b.chain, b.commits):
        v2, proof, server = c.integrity_v2, c._proof, b.server_pubkey
        need(canon_1(passport) == canon_1(c.without(*OBJECTS["commit"])), f"{c.id}: chain and commits differ")
        need(c.payload_pruned_at is not None or c.payload is not None, f"{c.id}: no payload")
        need((proof.checkpoint_inclusion is None) == (b.checkpoint is None), f"{c.id}: checkpoint_inclusion")
        fixed = (c.branch_key, c.event.type, server.use, c.key_id, v2.key_id, v2.envelope.key_id, v2.client_match,
                 c.completeness_claim, proof.pubkey_url, proof.checkpoint_url, proof.verify_url, server.pubkey_url)
        need(not b.log or fixed == OF_NODE and fit(c.payload, "payload?", "payload"), f"{c.id}: not as a node's")
    return b
# ---- The phases of section 4, claim by claim: (phase, id, whether it holds; None: cannot be checked)
def holds(check, *subject):
    try: return check(*subject)
    except (ValueError, OverflowError): return False  # it has not the form for this check
def text_of(one): return canon_1(one.without("server_sig", "position", "witness_signatures", "witness_count"))
def is_checkpoint(cp, key):
    return cp.tree_size - 1 == cp.log_position == cp.position and is_signed(key, cp.server_sig, text_of(cp))
def is_nodes(cp, key):  # a witness signs the same bytes: only the id tells whose checkpoint it is
    return cp.checkpoint_id.endswith("_" + H("mesh/" + key)[:8]) and is_checkpoint(cp, key)
def is_witness(w, cp, log_key):
    key, name = key_of(w.public_key_pem), "wit_" + H(spki_of(w.public_key_pem))[:16]
    return w.sig_valid and w.witness_id == name and key != log_key and is_signed(key, w.witness_sig, text_of(cp))
def is_split(one, two):
    if one.tree_size == two.tree_size and (one.tree_root, one.log_root) != (two.tree_root, two.log_root): return True
    another_past = two.previous_tree_root != one.tree_root or two.tree_size < one.tree_size
    same_id = one.checkpoint_id == two.checkpoint_id
    return same_id and text_of(one) != text_of(two) or two.previous_cp_id == one.checkpoint_id and another_past
def is_attested(c):
    a = c.client_attestation
    need(fit(a, "attestation") and a.agent_id == c.agent_id and a.parent_id == c.parent_id, "whose")
    need(c.payload is None or a.payload_hash == prefixed(canon_e(c.payload)), "payload_hash")
    need(a.metadata_hash == prefixed(canon_e(c.metadata or {})) or a.metadata_hash is c.metadata is None, "metadata")
    names = OBJECTS["attestation"].keys() - {"public_key", "envelope_hash", "signature"}
    text = canon_e({name: a[name] for name in names if name in a})
    key, signature = (base64.urlsafe_b64decode(raw + "==").hex() for raw in (a.public_key, a.signature))
    need(a.completeness_claim == c.completeness_claim and a.envelope_hash == prefixed(text), "claim, envelope_hash")
    return is_signed(key, signature, text)
def message_text(m, message_id, word):
    if m.scheme != "dm_sig": return "\n".join([m["from"], message_id, m.timestamp, word])
    hashes = [m.content_hash, m.metadata_hash]
    return "\n".join(["darkmatter.message.v1", m["from"], message_id, m.timestamp, m.to, *hashes, m.webhook])
def is_message(p, said, me):
    m, word = said.signed, "response" if p.act == "message.answered" else "content"
    scheme = "reply" if word == "response" else getattr(m, "scheme", None)
    need(p.act in ("message.answered", "message.received") and scheme in ("reply", "dm_sig", "signature_hex"), "")
    need(fit(m, scheme) and fit(p.message_id, "line") and m["from"] == p.peer and m.to in (None, me), "of whom")
    need(word not in said or fit(said[word], "text") and H(said[word]) == m.content_hash, "content_hash")
    if "metadata" in said and fit(said.metadata, "object"):
        commit = said.metadata.commit if FORMS["hash"](f"'{said.metadata.commit}") else None
        need(commit == p.peer_commit and m.metadata_hash in (None, H(canon_jcs(said.metadata))), "metadata")
    if scheme != "dm_sig" and word not in said: return None
    return is_signed(p.peer, m.signature, message_text(m, p.message_id, said.get(word)))
def receipt_text(r):
    names, detail = (r.agent_id, r.message_id, r.from_agent_id), "-" if r.detail is None else H(r.detail)
    return "\n".join(["darkmatter.receipt.v1", *names, r.content_hash, r.rung, r.at, r.commit or "-", detail])
def is_receipt(r): return fit(r, "receipt") and is_signed(r.agent_id, r.sig, receipt_text(r))
def is_taken(p, r, contents):
    need(is_receipt(r) and (p.peer, p.message_id, p.peer_commit) == (r.agent_id, r.message_id, r.commit), "facts")
    return p.act == "receipt.taken" and all(fit(one, "text") and H(one) == r.content_hash for one in contents)
def opens(commitment, d):
    text = "\n".join(("darkmatter.field.v1", d.salt, d.name, canon_1(d.value)))
    return bool(FORMS["hash"](f"'{d.salt}")) and commitment == H(text)
def step_claims(b, key, own, cp, seen):
    first, before = b.commits[0], Object(integrity=Object(), _proof=Object(log_position=-1))
    for c in b.commits:
        v1, v2, proof, at, parent = c.integrity, c.integrity_v2, c._proof, c._proof.log_position, before.integrity
        yield "payloads", c.id, None if c.payload is None else v1.payload_hash == prefixed(canon_1(c.payload))
        scheme_1 = prefixed(bare(v1.payload_hash) + bare(parent.integrity_hash))
        yield "chain", c.id, (v1.integrity_hash, v1.parent_hash, c.parent_id, c.lineage.lineage_root) == (
            scheme_1, parent.integrity_hash, before.id, first.id) and c.trace_id == b.metadata.trace_id and (
            c.created_by.agent_id == (key or first.created_by.agent_id))
        if key and c.payload: yield "chain", c.id, c.trace_id == c.payload.get("message_id", c.payload.peer)
        envelope = {name: c[name] for name in ("agent_id", "key_id", "parent_integrity_hash", "timestamp")}
        envelope.update(payload_hash=bare(c.payload_hash), schema_version="2")
        flat = {name: c[name] for name in v2 if name in OBJECTS["commit"]}
        yield "envelopes", c.id, v2 == {**v2, **flat, "envelope": envelope} and (
            c.integrity_hash, c.parent_integrity_hash, c.agent_id, c.payload_hash) == (
            prefixed(canon_1(envelope)), bare(before.integrity_hash), c.created_by.agent_id, v1.payload_hash)
        signer = c.agent_signature and c.agent_public_key and key_of(c.agent_public_key)
        signed = signer == (key or signer) and signer and is_signed(signer, c.agent_signature, canon_1(v2.envelope))
        if key or c.agent_signature: yield "agent_signatures", c.id, bool(signed)
        attested = c.client_attestation is not None and holds(is_attested, c)
        if c.client_attestation is not None: yield "attestations", c.id, attested
        leaf = {"accepted_at": proof.accepted_at, "commit_id": c.id, "integrity_hash": bare(c.integrity_hash)}
        leaf_hash, inside, under = proof.leaf_hash, proof.inclusion_proof, proof.checkpoint_inclusion
        yield "leaves", c.id, leaf_hash == H(b"\0" + canon_1({**leaf, "log_position": at}).encode("utf-8")) and (
            before._proof.log_position < at == inside.leaf_index == (under or inside).leaf_index)
        root = inclusion_root(leaf_hash, inside.leaf_index, inside.tree_size, inside.proof)
        yield "inclusion", c.id, inside.tree_size == proof.tree_size == at + 1 and root == proof.tree_root
        root = under and inclusion_root(leaf_hash, under.leaf_index, under.tree_size, under.proof)
        if under: yield "inclusion", c.id, (under.checkpoint_id, under.tree_size, under.tree_root, root) == (
            cp.checkpoint_id, cp.tree_size, cp.tree_root, cp.tree_root)
        yield "assurance", c.id, {"L1": True, "L2": at < seen, "L3": attested}[c.assurance_level]
        before = c
def log_claims(b, key):
    steps = {bare(c.integrity_hash): (at, c.id, c.payload or NOTHING, Object()) for at, c in enumerate(b.commits)}
    last, rungs = (-1, ""), set()
    for d in b.disclosures:
        at, who, p, said = steps.get(d.commit, (-1, d.commit, NOTHING, {}))
        yield "disclosures", who, last < (at, d.name) and opens(p.fields.get(d.name), d)
        last, said[d.name] = (at, d.name), d.value
    contents = [said["content"] for _, _, p, said in steps.values() if p.act == "message.sent" and "content" in said]
    for _, who, p, said in steps.values():
        for name in p.fields.keys() - said.keys():
            yield "disclosures", who, None
            if name in SPECIAL: yield SPECIAL[name], who, None
    for d in b.disclosures:
        _, who, p, said = steps.get(d.commit, (-1, "", NOTHING, {}))
        if "signed" in said and d.name == "signed": yield SPECIAL["signed"], who, holds(is_message, p, said, key)
        if "receipt" in said and d.name == "receipt":
            rung = isinstance(d.value, Object) and canon_1([d.value.agent_id, d.value.rung])
            yield SPECIAL["receipt"], who, rung not in rungs and holds(is_taken, p, d.value, contents)
            rungs.add(rung)
    for w in b.witnessed:
        signed = is_signed(key, w.witness_sig, text_of(w.checkpoint))
        yield "witnessed", w.agent_id, signed and is_nodes(w.checkpoint, w.agent_id)
    for e in b.evidence:
        signed = is_nodes(e.first, e.agent_id) and is_nodes(e.second, e.agent_id)
        yield "evidence", e.agent_id, signed and is_split(e.first, e.second)
def claims(b):
    key, own, cp = b.log and b.log[len("mesh/"):], key_of(b.server_pubkey.public_key), b.checkpoint or Object()
    first, tip, stated = b.commits[0], b.commits[-1], {**b.metadata, **b.integrity}
    signed = [("consistency", one.checkpoint, one.witness_signatures) for one in b.consistency or []]
    signed += [("witnesses", cp, cp.witness_signatures)] * bool(cp)
    seen = [one.tree_size for _, one, every in signed if any(is_witness(w, one, own) for w in every)]
    yield "format", "", True
    yield "export_hash", b.metadata.export_id, b.export_hash == prefixed(canon_1(b.without("export_hash")))
    text = "darkmatter.export.v1\n" + H(canon_1(b.without("export_hash", "export_sig")))
    named = key == b.metadata.exported_by == own
    if key: yield "export_signature", key, named and is_signed(key, b.export_sig, text)
    yield from step_claims(b, key, own, cp, max(seen, default=0))
    ends = {"ctx_id": tip.id, "lineage_root": first.id, "chain_length": len(b.commits),
            "root_hash": first.integrity.integrity_hash, "tip_hash": tip.integrity.integrity_hash}
    ends["chain_hash"] = prefixed(canon_1({**ends, "chain_ids": [c.id for c in b.commits]}))
    ends["timestamp_range"] = {"from": first.timestamp, "to": tip.timestamp}
    yield "chain", tip.id, stated == {**stated, **ends}
    is_own = is_nodes if b.log else is_checkpoint
    if cp: yield "checkpoint", cp.checkpoint_id, is_own(cp, own) and cp.tree_size > tip._proof.log_position
    if cp and cp.witness_count != len(cp.witness_signatures): yield "witnesses", cp.checkpoint_id, False
    for phase, one, every in signed:
        once = len({w.witness_id for w in every}) == len(every)
        for w in every: yield phase, w.witness_id, once and is_witness(w, one, own)
    by_id, by_size = ({one[name]: one for _, one, _ in signed} for name in ("checkpoint_id", "tree_size"))
    for at, (_, one, _) in enumerate(signed if b.consistency else []):
        others = by_id[one.checkpoint_id], by_size[one.tree_size], by_id.get(one.previous_cp_id, one)
        yield "consistency", one.checkpoint_id, not any(is_split(other, one) for other in others)
        if one is cp: break
        later, least = signed[at + 1][1] if cp else Object(tree_size=-1), first._proof.log_position
        in_order = least < one.tree_size <= later.tree_size and one.timestamp <= later.timestamp
        roots = in_order and both_roots(one.tree_size, cp.tree_size, one.tree_root, b.consistency[at].proof)
        yield "consistency", one.checkpoint_id, is_nodes(one, own) and roots == (one.tree_root, cp.tree_root)
    if key: yield from log_claims(b, key)
def verify(read):  # `read()` gives the bytes
    found = {phase: ([], [], []) for phase in PHASES.split()}  # whose claims fail, hold, cannot be checked
    try:
        for phase, who, ok in claims(read_bundle(read())): found[phase][2 if ok is None else ok].append(who)
    except (ValueError, OSError, MemoryError) as error: found["format"][0].append(str(error) or "too large here")
    return [{"phase": phase, "status": "fail" if wrong else "pass" if held else "not checked", "checked": len(held),
             "detail": f"{len(held)} claims hold, {len(wrong)} fail, {len(left)} cannot be checked",
             "failing": wrong[0] if wrong else None} for phase, (wrong, held, left) in found.items()]
def main(words):
    if words[:1] in (["--stream"], ["--vectors"]): return __import__("suites").main(words)
    files, failed = [word for word in words if word != "--json"], False
    if not files or files[0].startswith("--"): return print(__doc__, file=sys.stderr) or 2
    for file in files:
        phases = verify(lambda: open(file, "rb").read(BYTES_MAX + 1))
        verdict = "failed" if any(one["status"] == "fail" for one in phases) else "verified"
        failed = failed or verdict == "failed"
        lines = [" ".join([one["status"].upper(), one["phase"] + ":", *([ascii(one["failing"])[1:-1] + ":"] if one["failing"] else []), one["detail"]]) for one in phases]
        report = json.dumps({"file": file, "verdict": verdict, "phases": phases})
        print(report if "--json" in words else "\n".join([*lines, f"{verdict.upper()} {ascii(file)[1:-1]}"]))
    return int(failed)
if __name__ == "__main__": sys.exit(main(sys.argv[1:]))
