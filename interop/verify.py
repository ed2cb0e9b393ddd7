#!/usr/bin/env python3
"""Checks bundles of DarkMatter ledgers offline, by docs/proof.md alone: shares no code with what writes them.
verify.py [--json] FILE [FILE...]: a line per phase, a verdict; exit 0 verified, 1 failed, 2 usage. Phases:
format export_hash export_signature payloads chain envelopes agent_signatures attestations leaves inclusion
checkpoint witnesses consistency disclosures message_signatures receipts witnessed evidence assurance"""
import base64, datetime, decimal, functools, hashlib, itertools, json, math, re, sys
try: import cryptography.exceptions, cryptography.hazmat.primitives.asymmetric.ed25519 as ed25519
except ImportError as error: sys.exit(f"verify.py needs the package python3-cryptography: {error}")
class Object(dict):
    __getattr__ = dict.get  # members read as attributes, missing ones as None
    def without(self, *names): return Object((name, self[name]) for name in self if name not in names)
def need(ok, why, value=True):
    if not ok: raise ValueError(why)
    return value
decode = json.JSONDecoder(parse_constant=int,  # ledger.md 2.1; json's encoder leaves Decimals to us
    object_pairs_hook=lambda pairs: need(len(dict(pairs)) == len(pairs), "duplicate_key", Object(pairs)),
    parse_float=lambda t: decimal.Decimal(need(math.isfinite(float(t)), "non_finite_number", float(t))),
    parse_int=lambda t: int(need(len(t.lstrip("-")) <= 1000, "number_too_long", t))).decode
canon_e, mark = (json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=d).encode
                 for d in (float, lambda d: "\udfff" + re.sub("^-?[0-9]+$", r"\g<0>.0", "%.17g" % d)))
def canon_1(value): return re.sub('"\udfff([^"]*)"', r"\1", mark(value))  # U+DFFF is in no text that was read
def number_js(number):  # OverflowError: an integer beyond all doubles
    if (v := float(number)) and not 1e-6 <= abs(v) < 1e21: return re.sub("e([+-])0", r"e\1", repr(v))
    return format(decimal.Decimal(repr(v)).normalize(), "f") if v else "0"
def canon_jcs(value):
    if isinstance(value, list): return "[%s]" % ",".join(map(canon_jcs, value))
    if value is None or isinstance(value, (str, bool)): return canon_e(value)
    if not isinstance(value, dict): return number_js(value)
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{%s}" % ",".join(canon_e(name) + ":" + canon_jcs(value[name]) for name in names)
def read_json(data):
    marks = re.sub(rb'"[^"]*"', b"", data.replace(rb"\\", b"").replace(rb'\"', b""))  # one pattern took 20 GB
    marks = marks.translate(None, bytes({*range(256)} - {*b"[]{},"}))
    need(sum(map(marks.count, (b"[", b"{", b","))) <= 6_000_000, "too_many_values")
    need(max(itertools.accumulate((c in b"[{") - (c in b"]}") for c in marks), default=0) <= 256, "too_deep")
    canon_e(value := decode(data.decode("utf-8"))).encode("utf-8")  # which lone surrogates do not have
    return value
def H(data): return hashlib.sha256(data.encode("utf-8") if isinstance(data, str) else data).hexdigest()
prefixed, bare = lambda text: "sha256:" + H(text), lambda text: text[len("sha256:"):] if text else "root"
def key_of(pem): return base64.b64decode(pem.split("\n")[1])[-32:].hex()
def node(left, right): return H(b"\x01" + bytes.fromhex(left) + bytes.fromhex(right))
PRIME, ORDER_8 = 2**255 - 19, 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
@functools.lru_cache(32768)
def is_signed(key, signature, text):
    y = int.from_bytes(bytes.fromhex(key), "little") % 2**255  # OpenSSL takes any y, and small orders too
    if y >= PRIME or y in (0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8): return False
    verify_by = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify
    try: return verify_by(bytes.fromhex(signature), text.encode("utf-8")) is None
    except cryptography.exceptions.InvalidSignature: return False
def inclusion_root(leaf, index, size, proof):  # RFC 9162, from the top down; None: not this place's shape
    if size < 2 or not proof: return leaf if (index, size, proof) == (0, 1, []) else None
    half, top = 1 << (size - 1).bit_length() - 1, proof[-1]; right = index >= half
    inner = inclusion_root(leaf, index - half * right, size - half if right else half, proof[:-1])
    if not inner or top.direction != ("left" if right else "right"): return None
    return node(top.hash, inner) if right else node(inner, top.hash)
def both_roots(first, second, known, proof):  # `known`: the first tree is whole here, and this its root
    if first == second: return (known or proof[0],) * 2 if len(proof) == (not known) else (None, None)
    if not proof: return None, None
    half, top = 1 << (second - 1).bit_length() - 1, proof[-1]
    sizes = (first, half, known) if first <= half else (first - half, second - half, None)
    a, b = both_roots(*sizes, proof[:-1])
    return (a, b and node(b, top)) if first <= half else (a and node(top, a), b and node(top, b))
# ---- Forms: patterns of ' and a text, else of canon-1; "form?": or null, "member?": or none, "...": and more
DAY, CLOCK, Z = "'[0-9]{4}(-[0-9]{2}){2}", "([01][0-9]|2[0-3]):[0-5][0-9]", "[AEIMQUYcgkosw048]"
FORMS = {name: re.compile(pattern, re.DOTALL).fullmatch for name, pattern in {
    "pk": f"'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA[A-Za-z0-9+/]{{42}}{Z}=\n-----END PUBLIC KEY-----\n",
    "zoned": f"{DAY}[T ]{CLOCK}(:[0-5][0-9]([.][0-9]{{1,9}})?)?(Z|[+-][0-9]{{2}}:?[0-9]{{2}})", "text": "'.*",
    "act": "'message[.](received (dm_sig|signature_hex)|answered reply)", "raw32": f"'[A-Za-z0-9_-]{{42}}{Z}",
    "cp": "'cp_[0-9]+_[0-9a-f]{8}", "sha": "'sha256:[0-9a-f]{64}", "count": "0|[1-9][0-9]{0,15}", "any": ".*",
    "ctx": "'ctx_[0-9]+_([0-9a-f]{8}|[0-9a-f]{12})", "raw64": "'[A-Za-z0-9_-]{85}[AQgw]", "level": "'L[123]",
    "up": "'(root|[0-9a-f]{64})", "log": "'mesh/[0-9a-f]{64}", "wit": "'wit_[0-9a-f]{16}", "line": "'[^\n]*",
    "message": "'[^\n]{1,128}", "hash": "'[0-9a-f]{64}", "sig": "'[0-9a-f]{128}", "side": "'(left|right)",
    "fields": r'\{\}|\{("(?:[^"\\]|\\.)*":"[0-9a-f]{64}"[,}])+', "export": "'bundle_[0-9]+_[0-9a-f]{8}",
    "rung": "'(stored|asked|woken|read|acted|refused|expired)", "time": f"{DAY}T{CLOCK}:[0-5][0-9]Z",
    "detail": "'.{0,1000}", "bool": "true|false", "object": r"\{.*", "true": "true", "null": "null"}.items()}
SIGNED = """cp: checkpoint_id cp?: previous_cp_id hash: log_root tree_root hash?: previous_tree_root =3:
  schema_version time: timestamp count: log_position position tree_size sig: server_sig"""
BYTES_MAX, OBJECTS, SPECIAL = 200_000_000, {}, {"signed": "message_signatures", "receipt": "receipts"}
OF_NODE, NOTHING = ("main", "commit", "checkpoint", *["default"] * 3, *[None] * 6), Object(fields={})
for name, text in re.findall(r"(\w+)\s\((.*?)\)", f"""
bundle (spec: _spec metadata: metadata summary: integrity [passport]: chain [commit]: commits cover?:
checkpoint server: server_pubkey sha: export_hash log: log? [earlier]: consistency? [disclosure]: disclosures?
[witnessed]: witnessed? [evidence]: evidence? sig: export_sig?) range (time: from to) spec (=3.0:
bundle_version text: spec_url verifier_url verify_command [text]: phases ...) metadata (text: ctx_id
lineage_root exported_at exported_by text?: trace_id =1.0: export_version export: export_id count:
chain_length ...) summary (bool: chain_intact =sha256: algorithm sha: root_hash tip_hash chain_hash range:
timestamp_range) passport (text: $schema branch_key created_at text?: trace_id payload_pruned_at? =1.0:
schema_version ctx: id ctx?: parent_id author: created_by event: event object?: payload v1: integrity v2:
integrity_v2 lineage: lineage level: assurance_level bool?: completeness_claim ...) lineage (text?: fork_of
fork_point lineage_root ...) author (text: agent_id agent_name text?: role provider model ...) event (text:
type label? time: timestamp text?: to_agent_id to_agent_name ...) v1 (sha: payload_hash integrity_hash sha?:
parent_hash text: verification_status text?: verification_reason verified_at ...) v2 (sha: payload_hash
integrity_hash up: parent_integrity_hash text: key_id signature_status env: envelope bool?: client_match ...)
env (text: agent_id key_id up: parent_integrity_hash hash: payload_hash =2: schema_version time: timestamp
...) commit (text: agent_id key_id time: timestamp sha: payload_hash integrity_hash leaf: _proof up:
parent_integrity_hash sig?: agent_signature? pk?: agent_public_key? object?: client_envelope?
client_attestation? metadata? ...) leaf (count: log_position tree_size hash: leaf_hash tree_root time:
accepted_at client_timestamp text: proof_status text?: pubkey_url checkpoint_url verify_url path:
inclusion_proof under?: checkpoint_inclusion?) path (count: leaf_index tree_size [step]: proof) step (side:
direction hash: hash) under (text: checkpoint_id count: leaf_index tree_size hash: tree_root [step]: proof)
earlier (signed: checkpoint [witness]: witness_signatures [hash]: proof) signed ({SIGNED}) cover ({SIGNED}
[witness]: witness_signatures count: witness_count) witness (wit: witness_id text?: witness_name sig:
witness_sig text: witnessed_at bool: sig_valid pk: public_key_pem) evidence (hash: agent_id signed: first
second) server (=Ed25519: algorithm pk: public_key text: use text?: pubkey_url) disclosure (hash: commit text:
salt name any: value) witnessed (hash: agent_id signed: checkpoint sig: witness_sig text: witnessed_at)
payload (text: act message_id? fields: fields hash?: peer hash: peer_commit? delegate: delegate?) delegate
(hash: public_key grant sig: sig) scope (text: message_id? request_id? any: tools peers) grant (hash:
child_public_key scope: scope zoned: not_before not_after sig: sig) dm_sig (=dm_sig: scheme line: timestamp
webhook hash: from to content_hash metadata_hash sig: signature) older (text: scheme line: timestamp null: to
webhook metadata_hash hash: from content_hash sig: signature) receipt (hash: agent_id from_agent_id
content_hash hash?: commit message: message_id zoned: at detail?: detail rung: rung sig: sig) attestation
(=dm-envelope-v1: version =Ed25519: algorithm text: agent_id key_id client_timestamp sha: payload_hash
envelope_hash sha?: metadata_hash ctx?: parent_id bool: completeness_claim? raw32: public_key raw64: signature
...)""", re.DOTALL):
    pairs = re.findall(r"(\S+):((?:\s+[^\s:]+(?!\S))+)", text)
    OBJECTS[name] = {w.rstrip("?"): (form, w[-1] in "?.") for form, words in pairs for w in words.split()}
def fit(value, form, where=""):  # ValueError: the first place without its form
    if form.endswith("?"): return value is None or fit(value, form[:-1], where)
    if form[0] == "[" and isinstance(value, list):
        return [fit(item, form[1:-1], f"{where}[{at}]") for at, item in enumerate(value)]
    if (own := OBJECTS.get(form)) and isinstance(value, Object):
        odd = [n for n in {*value, *own} if not (n in value or own[n][1] if n in own else "..." in own)]
        need(not odd, f"{where}: unknown or missing: {', '.join(sorted(odd))}")
        return [fit(value[name], own[name][0], f"{where}.{name}") for name in value if name in own]
    text = "'" + value if isinstance(value, str) else canon_1(value)
    fits = text == "'" + form[1:] if form[0] == "=" else form in FORMS and FORMS[form](text)
    if fits and form in ("time", "zoned"): datetime.date.fromisoformat(value[:10])
    return need(fits and (form != "count" or value < 2**53), f"{where}: not {form}")
def read_bundle(data):
    need(len(data) <= BYTES_MAX, f"over {BYTES_MAX} bytes"); b = read_json(data); fit(b, "bundle", "bundle")
    need(b.chain and len(b.chain) == len(b.commits) == len({c.id for c in b.chain}), "chain: its ids")
    need(len(b) in (8, len(OBJECTS["bundle"])), "log: not with all its members")
    for passport, c in zip(b.chain, b.commits):
        v1, v2, p, log, who = c.integrity, c.integrity_v2, c._proof, b.server_pubkey, c.id
        need(b.integrity.chain_intact or v1.verification_status != "broken", f"{who}: said to be broken")
        need(canon_1(passport) == canon_1(c.without(*OBJECTS["commit"].keys() - {"..."})), f"{who}: chain")
        need(c.payload_pruned_at is not None or c.payload is not None, f"{who}: no payload")
        need((p.checkpoint_inclusion is None) == (b.checkpoint is None), f"{who}: checkpoint_inclusion")
        fixed = (c.branch_key, c.event.type, log.use, c.key_id, v2.key_id, v2.envelope.key_id, log.pubkey_url,
                 v2.client_match, c.completeness_claim, p.pubkey_url, p.checkpoint_url, p.verify_url)
        need(not b.log or fixed == OF_NODE and fit(c.payload, "payload?", "payload"), f"{who}: no node's")
    return need(b.integrity.chain_intact, "integrity.chain_intact: not true", b)
# ---- The phases of section 4, claim by claim: (phase, id, whether it holds; None: cannot be checked)
def holds(check, *subject):
    try: return check(*subject)
    except (ValueError, OverflowError): return False  # it has not the form for this check
def text_of(one): return canon_1(one.without("server_sig", "position", "witness_signatures", "witness_count"))
def is_checkpoint(cp, key, named=True):  # a witness signs the same bytes: only the id tells whose it is
    sound = cp.tree_size - 1 == cp.log_position == cp.position and is_signed(key, cp.server_sig, text_of(cp))
    return sound and (not named or cp.checkpoint_id[-8:] == H("mesh/" + key)[:8])
def is_witness(w, cp, log_key):
    key = key_of(w.public_key_pem)
    named = w.witness_id == "wit_" + H(bytes.fromhex("302a300506032b6570032100" + key))[:16]
    return named and key != log_key and w.sig_valid and is_signed(key, w.witness_sig, text_of(cp))
def is_split(a, b):
    past = b.previous_tree_root == a.tree_root and b.tree_size >= a.tree_size
    return (b.previous_cp_id == a.checkpoint_id and not past or a.checkpoint_id == b.checkpoint_id
            and text_of(a) != text_of(b) or a.tree_size == b.tree_size
            and (a.tree_root, a.log_root) != (b.tree_root, b.log_root))
def is_attested(c):
    a, m, facts = c.client_attestation, c.metadata, (c.agent_id, c.parent_id, c.completeness_claim)
    need(fit(a, "attestation") and (a.agent_id, a.parent_id, a.completeness_claim) == facts, "facts")
    need(c.payload is None or a.payload_hash == prefixed(canon_e(c.payload)), "payload_hash")
    need(a.metadata_hash == prefixed(canon_e(m or {})) or a.metadata_hash is m is None, "metadata_hash")
    text = canon_e(a.without(*a.keys() - OBJECTS["attestation"], "public_key", "envelope_hash", "signature"))
    key, signature = (base64.urlsafe_b64decode(raw + "==").hex() for raw in (a.public_key, a.signature))
    return a.envelope_hash == prefixed(text) and is_signed(key, signature, text)
def is_message(p, said, me):
    m, word = said["signed"], "response" if p.act == "message.answered" else "content"
    whole = getattr(m, "scheme", "") == "dm_sig"
    need(fit(m, "dm_sig" if whole else "older") and fit(f"{p.act} {m.scheme}", "act"), "act, scheme")
    need(fit(p.message_id, "line") and m["from"] == p.peer and m.to in (None, me), "message_id, from, to")
    need(word not in said or fit(said[word], "text") and H(said[word]) == m.content_hash, "content_hash")
    if "metadata" in said and fit(said["metadata"], "object"):
        commit, text = said["metadata"].commit, canon_jcs(said["metadata"])
        need(p.peer_commit == (commit if FORMS["hash"](f"'{commit}") else None), "peer_commit")
        need(m.metadata_hash in (None, H(text)), "metadata_hash")
    if not whole and word not in said: return None
    lines, more = [p.peer, p.message_id, m.timestamp], [m.to, m.content_hash, m.metadata_hash, m.webhook]
    lines = ["darkmatter.message.v1", *lines, *more] if whole else [*lines, said[word]]
    return is_signed(p.peer, m.signature, "\n".join(lines))
def is_receipt(p, r, contents):
    need(fit(r, "receipt") and p.act == "receipt.taken" and p.peer == r.agent_id, "act, peer")
    need(p.message_id == r.message_id and p.peer_commit == r.commit, "message_id, commit")
    need(all(fit(one, "text") and H(one) == r.content_hash for one in contents), "content_hash")
    lines = ["darkmatter.receipt.v1", r.agent_id, r.message_id, r.from_agent_id, r.content_hash, r.rung, r.at]
    return is_signed(r.agent_id, r.sig, "\n".join(
        [*lines, r.commit or "-", "-" if r.detail is None else H(r.detail)]))
def is_delegate(p, at, granted, me):  # a grant that stays closed is named, and no more
    for g in (g for g in granted if H(canon_jcs(g)) == p.delegate.grant):
        need(fit(g, "grant") and g.child_public_key == p.delegate.public_key, "child_public_key")
        start, end, now = map(datetime.datetime.fromisoformat, (g.not_before, g.not_after, at))
        need(start - datetime.timedelta(seconds=1) <= now <= end, "not_before, not_after")
        lines = ["darkmatter.grant.v1", me, g.child_public_key, canon_jcs(g.scope), g.not_before, g.not_after]
        need(g.scope.message_id in (None, p.message_id) and is_signed(me, g.sig, "\n".join(lines)), "sig")
    return is_signed(p.delegate.public_key, p.delegate.sig, H(canon_1(p.without("delegate"))))
def opens(commitment, d):
    text = "\n".join(("darkmatter.field.v1", d.salt, d.name, canon_1(d.value)))
    return bool(FORMS["hash"](f"'{d.salt}")) and commitment == H(text)
def claims(b):
    key, own, cp = b.log and b.log[5:], key_of(b.server_pubkey.public_key), b.checkpoint or Object()
    first, tip, stated = b.commits[0], b.commits[-1], {**b.metadata, **b.integrity}
    signed = [("consistency", one.checkpoint, one.witness_signatures) for one in b.consistency or []]
    signed += [("witnesses", cp, cp.witness_signatures)] * bool(cp); yield "format", "", True
    seen = max((cp.tree_size for _, cp, of in signed if any(is_witness(w, cp, own) for w in of)), default=0)
    yield "export_hash", b.metadata.export_id, b.export_hash == prefixed(canon_1(b.without("export_hash")))
    if key: yield "export_signature", key, key == stated["exported_by"] == own and is_signed(
        key, b.export_sig, "darkmatter.export.v1\n" + H(canon_1(b.without("export_hash", "export_sig"))))
    ends = {"ctx_id": tip.id, "lineage_root": first.id, "chain_length": len(b.commits),
            "root_hash": first.integrity.integrity_hash, "tip_hash": tip.integrity.integrity_hash}
    ends.update(timestamp_range={"from": first.timestamp, "to": tip.timestamp}, trace_id=tip.trace_id,
                chain_hash=prefixed(canon_1({**ends, "chain_ids": [c.id for c in b.commits]})))
    for last, c in zip([Object(integrity=Object(), _proof=Object(log_position=-1)), *b.commits], b.commits):
        v1, v2, p, at, before = c.integrity, c.integrity_v2, c._proof, c._proof.log_position, last.integrity
        yield "payloads", c.id, None if c.payload is None else v1.payload_hash == prefixed(canon_1(c.payload))
        yield "chain", c.id, (c.parent_id, v1.parent_hash, c.lineage.lineage_root, v1.integrity_hash) == (
            last.id, (up := before.integrity_hash), first.id, prefixed(bare(v1.payload_hash) + bare(up)))
        if key: yield "chain", c.id, (c.created_by.agent_id, c.trace_id) == (key, stated["trace_id"]) and (
            not c.payload or c.trace_id == c.payload.get("message_id", c.payload.peer))
        env = {name: c[name] for name in ("agent_id", "key_id", "parent_integrity_hash", "timestamp")}
        env.update(payload_hash=bare(c.payload_hash), schema_version="2")
        yield "envelopes", c.id, v2.integrity_hash == c.integrity_hash == prefixed(canon_1(env)) and (
            c.parent_integrity_hash == bare(last.integrity_hash) and v1.payload_hash == c.payload_hash) and (
            v2.envelope, v2.key_id, v2.payload_hash, v2.parent_integrity_hash, c.created_by.agent_id) == (
            env, c.key_id, c.payload_hash, c.parent_integrity_hash, c.agent_id)
        signer = c.agent_signature and c.agent_public_key and key_of(c.agent_public_key)
        valid = signer and is_signed(signer, c.agent_signature, canon_1(v2.envelope))
        if key or c.agent_signature: yield "agent_signatures", c.id, bool(valid) and key in (None, signer)
        attested = c.client_attestation is not None and holds(is_attested, c)
        if c.client_attestation is not None: yield "attestations", c.id, attested
        leaf = {"accepted_at": p.accepted_at, "commit_id": c.id, "integrity_hash": bare(c.integrity_hash)}
        inside, under = p.inclusion_proof, p.checkpoint_inclusion
        yield "leaves", c.id, p.leaf_hash == H(b"\0" + canon_1({**leaf, "log_position": at}).encode()) and (
            last._proof.log_position < at == inside.leaf_index == (under or inside).leaf_index)
        root = inclusion_root(p.leaf_hash, inside.leaf_index, inside.tree_size, inside.proof)
        yield "inclusion", c.id, inside.tree_size == p.tree_size == at + 1 and root == p.tree_root
        root = under and inclusion_root(p.leaf_hash, under.leaf_index, under.tree_size, under.proof)
        if under: yield "inclusion", c.id, (under.checkpoint_id, under.tree_size, under.tree_root, root) == (
            cp.checkpoint_id, cp.tree_size, cp.tree_root, cp.tree_root)
        yield "assurance", c.id, {"L1": True, "L2": at < seen, "L3": attested}[c.assurance_level]
    yield "chain", tip.id, stated == {**stated, **ends}
    reach, at_least = cp and cp.tree_size > tip._proof.log_position, first._proof.log_position
    if cp: yield "checkpoint", cp.checkpoint_id, reach and is_checkpoint(cp, own, b.log)
    if cp and cp.witness_count != len(cp.witness_signatures): yield "witnesses", cp.checkpoint_id, False
    for phase, one, every, once in ((*of, len({w.witness_id for w in of[2]}) == len(of[2])) for of in signed):
        for w in every: yield phase, w.witness_id, once and is_witness(w, one, own)
    by_id, by_size = ({one[name]: one for _, one, _ in signed} for name in ("checkpoint_id", "tree_size"))
    for at, (_, x, _) in enumerate(signed if b.consistency else []):
        others = by_id[x.checkpoint_id], by_size[x.tree_size], by_id.get(x.previous_cp_id, x)
        yield "consistency", x.checkpoint_id, not any(is_split(other, x) for other in others)
        if x is cp: break
        later = signed[at + 1][1] if cp else Object(tree_size=-1)
        ordered = at_least < x.tree_size <= later.tree_size <= cp.tree_size and x.timestamp <= later.timestamp
        roots = ordered and both_roots(x.tree_size, cp.tree_size, x.tree_root, b.consistency[at].proof)
        yield "consistency", x.checkpoint_id, roots == (x.tree_root, cp.tree_root) and is_checkpoint(x, own)
    if not key: return
    steps = {bare(c.integrity_hash): (at, c.id, c.payload or NOTHING, {}) for at, c in enumerate(b.commits)}
    last, rungs = (-1, ""), set()
    for d in b.disclosures:
        at, who, p, said = steps.get(d.commit, (-1, d.commit, NOTHING, {}))
        yield "disclosures", who, last < (at, d.name) and opens(p.fields.get(d.name), d)
        last, said[d.name] = (at, d.name), d.value
    sent, granted = ([got[n] for _, _, p, got in steps.values() if p.act == act and n in got] for act, n in (
        ("message.sent", "content"), ("delegation.granted", "grant")))
    for c in (c for c in b.commits if c.payload and c.payload.delegate):
        yield "agent_signatures", c.id, holds(is_delegate, c.payload, c.timestamp, granted, key)
    for _, who, p, said in steps.values():
        for name in p.fields.keys() - said.keys():
            for phase in {SPECIAL.get(name, "disclosures"), "disclosures"}: yield phase, who, None
        if "signed" in said: yield "message_signatures", who, holds(is_message, p, said, key)
        if "receipt" in said:
            r = said["receipt"]; rung = isinstance(r, Object) and canon_1([r.agent_id, r.rung])
            yield "receipts", who, rung not in rungs and holds(is_receipt, p, r, sent); rungs.add(rung)
    for w in b.witnessed: yield "witnessed", w.agent_id, is_checkpoint(w.checkpoint, w.agent_id) and (
        is_signed(key, w.witness_sig, text_of(w.checkpoint)))
    for e in b.evidence: yield "evidence", e.agent_id, is_split(e.first, e.second) and (
        is_checkpoint(e.first, e.agent_id) and is_checkpoint(e.second, e.agent_id))
def verify(read):  # `read()` gives the bytes
    found = {phase: ([], [], []) for phase in __doc__.split(" Phases:")[1].split()}  # wrong, right, closed
    try:
        for phase, who, ok in claims(read_bundle(read())): found[phase][2 if ok is None else ok].append(who)
    except (ValueError, OSError, MemoryError) as error: found["format"][0].append(str(error) or "too large")
    phases = [{"phase": n, "status": "fail" if no else "pass" if yes else "not checked", "checked": len(yes),
               "failing": no[0] if no else None, "detail": ", ".join(
                   f"{len(of)} {is_}" for of, is_ in ((no, "wrong"), (yes, "right"), (left, "closed")) if of)
               or "none there"} for n, (no, yes, left) in found.items()]
    return {"verdict": "failed" if any(no for no, _, _ in found.values()) else "verified", "phases": phases}
def main(words):
    if words[:1] in (["--stream"], ["--vectors"]): return __import__("suites").main(words)
    files, failed = [word for word in words if word != "--json"], False
    if not files or any(file.startswith("--") for file in files): return print(__doc__, file=sys.stderr) or 2
    for file in files:
        report = {"file": file, **verify(lambda: open(file, "rb").read(BYTES_MAX + 1))}
        lines = [" ".join(filter(None, [p["status"].upper(), p["phase"] + ":", p["failing"], p["detail"]]))
                 for p in report["phases"]] + [f"{report['verdict'].upper()} {file}"]
        print(json.dumps(report) if "--json" in words else "\n".join(ascii(line)[1:-1] for line in lines))
        failed = failed or report["verdict"] == "failed"
    if len(files) > 1 and "--json" not in words: print("NOT CHECKED together: each file was taken by itself")
    return int(failed)
if __name__ == "__main__": sys.exit(main(sys.argv[1:]))
