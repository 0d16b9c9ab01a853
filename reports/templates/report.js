// Computes the proofs of this page again: SHA-256 and SHA-512 (FIPS 180-4), Ed25519 (RFC 8032),
// RFC 9162 trees, DSSE. Own code, because browsers offer WebCrypto only in what they call secure
// contexts, and a file on a disk is often none. It changes nothing but the marks it sets.
'use strict';
(function () {
  const enc = new TextEncoder(), dec = new TextDecoder();
  const hex = b => Array.from(b, x => x.toString(16).padStart(2, '0')).join('');
  const unhex = s => Uint8Array.from(s.match(/../g) || [], x => parseInt(x, 16));
  const un64 = s => Uint8Array.from(atob(s), c => c.charCodeAt(0));
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    parts.reduce((at, p) => (out.set(p, at), at + p.length), 0);
    return out;
  };
  const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

  // ---- SHA-2; the constants are the fractional parts of roots of primes, computed exactly
  const primes = (() => { const p = []; for (let n = 2; p.length < 80; n++) if (p.every(d => n % d)) p.push(n); return p; })();
  const root = (n, k) => { // integer k-th root
    let x = 1n << BigInt(Math.ceil(n.toString(2).length / k) + 1);
    for (;;) { const y = ((BigInt(k) - 1n) * x + n / x ** BigInt(k - 1)) / BigInt(k); if (y >= x) return x; x = y; }
  };
  const fraction = (p, k, bits) => root(BigInt(p) << BigInt(bits * k), k) & ((1n << BigInt(bits)) - 1n);
  const K32 = new Uint32Array(primes.slice(0, 64).map(p => Number(fraction(p, 3, 32))));
  const H32 = primes.slice(0, 8).map(p => Number(fraction(p, 2, 32)));
  const K64 = primes.map(p => fraction(p, 3, 64)), H64 = primes.slice(0, 8).map(p => fraction(p, 2, 64));
  const M64 = (1n << 64n) - 1n;

  function padded(m, block) {
    const size = Math.ceil((m.length + 1 + block / 8) / block) * block, out = new Uint8Array(size);
    out.set(m); out[m.length] = 0x80;
    for (let i = 0, n = m.length * 8; n > 0; i++, n = Math.floor(n / 256)) out[size - 1 - i] = n & 255;
    return out;
  }
  function sha256(m) {
    const p = padded(m, 64), w = new Uint32Array(64), h = Uint32Array.from(H32), r = (x, n) => (x >>> n) | (x << (32 - n));
    const v = new DataView(p.buffer);
    for (let at = 0; at < p.length; at += 64) {
      for (let i = 0; i < 16; i++) w[i] = v.getUint32(at + 4 * i);
      for (let i = 16; i < 64; i++) {
        const a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (r(a, 7) ^ r(a, 18) ^ (a >>> 3)) + w[i - 7] + (r(b, 17) ^ r(b, 19) ^ (b >>> 10));
      }
      let [a, b, c, d, e, f, g, k] = h;
      for (let i = 0; i < 64; i++) {
        const t = (k + (r(e, 6) ^ r(e, 11) ^ r(e, 25)) + ((e & f) ^ (~e & g)) + K32[i] + w[i]) | 0;
        const u = ((r(a, 2) ^ r(a, 13) ^ r(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        k = g; g = f; f = e; e = (d + t) | 0; d = c; c = b; b = a; a = (t + u) | 0;
      }
      h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += k;
    }
    const out = new Uint8Array(32), o = new DataView(out.buffer);
    h.forEach((x, i) => o.setUint32(4 * i, x));
    return out;
  }
  function sha512(m) {
    const p = padded(m, 128), v = new DataView(p.buffer), w = new Array(80), h = H64.slice();
    const r = (x, n) => ((x >> n) | (x << (64n - n))) & M64;
    for (let at = 0; at < p.length; at += 128) {
      for (let i = 0; i < 16; i++) w[i] = v.getBigUint64(at + 8 * i);
      for (let i = 16; i < 80; i++) {
        const a = w[i - 15], b = w[i - 2];
        w[i] = (w[i - 16] + (r(a, 1n) ^ r(a, 8n) ^ (a >> 7n)) + w[i - 7] + (r(b, 19n) ^ r(b, 61n) ^ (b >> 6n))) & M64;
      }
      let [a, b, c, d, e, f, g, k] = h;
      for (let i = 0; i < 80; i++) {
        const t = (k + (r(e, 14n) ^ r(e, 18n) ^ r(e, 41n)) + ((e & f) ^ (~e & M64 & g)) + K64[i] + w[i]) & M64;
        const u = ((r(a, 28n) ^ r(a, 34n) ^ r(a, 39n)) + ((a & b) ^ (a & c) ^ (b & c))) & M64;
        k = g; g = f; f = e; e = (d + t) & M64; d = c; c = b; b = a; a = (t + u) & M64;
      }
      [a, b, c, d, e, f, g, k].forEach((x, i) => { h[i] = (h[i] + x) & M64; });
    }
    const out = new Uint8Array(64), o = new DataView(out.buffer);
    h.forEach((x, i) => o.setBigUint64(8 * i, x));
    return out;
  }

  // ---- Ed25519 verification, cofactorless: the encoding of [s]B - [k]A must be R
  const P = (1n << 255n) - 19n, L = (1n << 252n) + 27742317777372353535851937790883648493n;
  const mod = x => ((x % P) + P) % P;
  const pow = (b, e) => { let r = 1n; for (b = mod(b); e > 0n; e >>= 1n, b = mod(b * b)) if (e & 1n) r = mod(r * b); return r; };
  const D = mod(-121665n * pow(121666n, P - 2n)), I = pow(2n, (P - 1n) / 4n);
  const little = b => b.reduceRight((n, x) => (n << 8n) | BigInt(x), 0n);
  function decode(b) {
    const sign = b[31] >> 7, y = little(b) & ((1n << 255n) - 1n);
    if (y >= P) return null;
    const u = mod(y * y - 1n), v = mod(D * y * y + 1n);
    let x = mod(u * v ** 3n * pow(mod(u * v ** 7n), (P - 5n) / 8n));
    if (mod(v * x * x) !== u) { x = mod(x * I); if (mod(v * x * x) !== u) return null; }
    if (x === 0n && sign) return null;
    if (Number(x & 1n) !== sign) x = P - x;
    return [x, y, 1n, mod(x * y)];
  }
  const add = ([x1, y1, z1, t1], [x2, y2, z2, t2]) => {
    const a = mod((y1 - x1) * (y2 - x2)), b = mod((y1 + x1) * (y2 + x2)), c = mod(2n * D * t1 * t2), d = mod(2n * z1 * z2);
    const e = b - a, f = d - c, g = d + c, h = b + a;
    return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
  };
  const times = (p, n) => { let r = [0n, 1n, 1n, 0n]; for (; n > 0n; n >>= 1n, p = add(p, p)) if (n & 1n) r = add(r, p); return r; };
  const B = decode(Uint8Array.from([0x58, ...new Array(31).fill(0x66)]));
  function encode([x, y, z]) {
    const i = pow(z, P - 2n), out = new Uint8Array(32);
    let n = mod(y * i);
    for (let k = 0; k < 32; k++, n >>= 8n) out[k] = Number(n & 255n);
    out[31] |= Number(mod(x * i) & 1n) << 7;
    return out;
  }
  function ed25519(key, message, signature) {
    const a = decode(key), s = little(signature.slice(32));
    if (!a || s >= L || signature.length !== 64) return false;
    const k = little(sha512(join(signature.slice(0, 32), key, message))) % L;
    return same(encode(add(times(B, s), times([P - a[0], a[1], 1n, mod(-a[3])], k))), signature.slice(0, 32));
  }

  // ---- trees and notes
  const leaf = d => sha256(join(Uint8Array.of(0), d)), node = (l, r) => sha256(join(Uint8Array.of(1), l, r));
  function treeRoot(hashes) {
    if (hashes.length === 0) return sha256(new Uint8Array(0));
    if (hashes.length === 1) return hashes[0];
    let k = 1; while (k * 2 < hashes.length) k *= 2;
    return node(treeRoot(hashes.slice(0, k)), treeRoot(hashes.slice(k)));
  }
  function inclusion(hash, index, size, proof) { // RFC 9162 2.1.3.2
    let fn = BigInt(index), sn = BigInt(size) - 1n, r = hash;
    if (fn > sn) return null;
    for (const p of proof) {
      if (sn === 0n) return null;
      if ((fn & 1n) || fn === sn) {
        r = node(p, r);
        if (!(fn & 1n)) while (fn !== 0n && !(fn & 1n)) { fn >>= 1n; sn >>= 1n; }
      } else r = node(r, p);
      fn >>= 1n; sn >>= 1n;
    }
    return sn === 0n ? r : null;
  }
  function extend(size1, root1, size2, root2, proof) { // RFC 9162 2.1.4.2
    let fn = BigInt(size1) - 1n, sn = BigInt(size2) - 1n;
    if (fn === sn) return proof.length === 0 && same(root1, root2);
    if (fn < 0n || fn > sn) return false;
    const path = (fn & (fn + 1n)) === 0n ? [root1, ...proof] : proof;
    if (!path.length) return false;
    for (; fn & 1n; fn >>= 1n) sn >>= 1n;
    let a = path[0], b = path[0];
    for (const p of path.slice(1)) {
      if (sn === 0n) return false;
      if ((fn & 1n) || fn === sn) {
        a = node(p, a); b = node(p, b);
        if (!(fn & 1n)) while (fn !== 0n && !(fn & 1n)) { fn >>= 1n; sn >>= 1n; }
      } else b = node(b, p);
      fn >>= 1n; sn >>= 1n;
    }
    return sn === 0n && same(a, root1) && same(b, root2);
  }
  const verifierKey = text => { const at = text.indexOf('+'), rest = text.slice(at + 1), key = un64(rest.slice(9));
    return { name: text.slice(0, at), id: unhex(rest.slice(0, 8)), type: key[0], key: key.slice(1) }; };
  function checkpoint(note, keyText) {
    const cut = note.lastIndexOf('\n\n'), text = note.slice(0, cut + 1), key = verifierKey(keyText);
    const [origin, size, rootText] = text.split('\n');
    let seconds = 0;
    const good = note.slice(cut + 2).split('\n').some(line => {
      const m = line.match(/^\u2014 (\S+) (\S+)$/);
      if (!m || m[1] !== key.name) return false;
      const s = un64(m[2]);
      if (!same(s.slice(0, 4), key.id)) return false;
      if (key.type !== 4) return ed25519(key.key, enc.encode(text), s.slice(4));
      seconds = new DataView(s.buffer).getBigUint64(4); // a witness's cosignature (C2SP tlog-cosignature)
      return ed25519(key.key, enc.encode('cosignature/v1\ntime ' + seconds + '\n' + text), s.slice(12));
    });
    return { good, origin, size, root: un64(rootText), seconds, name: key.name };
  }

  // ---- claims: the canonical text, and the salted commitment to it
  const quote = s => JSON.stringify(s).replace(/\x7f/g, '\\u007f');
  const order = (a, b) => { const x = enc.encode(a), y = enc.encode(b); for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return x[i] - y[i]; return x.length - y.length; };
  const canonical = v => Array.isArray(v) ? '[' + v.map(canonical).join(',') + ']'
    : typeof v === 'object' ? '{' + Object.keys(v).sort(order).map(k => quote(k) + ':' + canonical(v[k])).join(',') + '}'
    : quote(String(v));
  const framed = b => { const n = new Uint8Array(8); new DataView(n.buffer).setBigUint64(0, BigInt(b.length)); return join(n, b); };
  const commitment = (salt, text) => sha256(join(enc.encode('assay/commit/v1\0'), framed(enc.encode('claim')), salt, framed(text)));

  // ---- this page
  const list = document.getElementById('proofs-list');
  const say = (good, text) => { const li = document.createElement('li'); li.textContent = (good ? '\u2713 ' : '\u2717 ') + text;
    li.className = good ? 'verified' : 'contradicted'; list.appendChild(li); return good; };
  const note = text => { const li = document.createElement('li'); li.textContent = text; li.className = 'note'; list.appendChild(li); };
  const mark = (el, state, text) => { el.className = 'proof ' + state; el.textContent = text; };
  function witnessed(log, head) { // cosignatures, and that the head extends what they are over
    let ok = true, anchor = checkpoint(log.anchor, log.key);
    for (const key of log.witnesses || []) {
      const c = checkpoint(log.anchor, key);
      ok = say(c.good, c.good ? 'the witness ' + c.name + ' cosigned the first ' + c.size + ' entries at ' + new Date(Number(c.seconds) * 1000).toISOString().slice(0, 19) + 'Z (compare its key ' + key + ' with one that you got another way)' : 'the cosignature of ' + c.name + ' does not hold') && ok;
    }
    if (!(log.witnesses || []).length) note('Cosigned by witnesses whose keys were not given: their signatures are not checked');
    const good = anchor.origin === log.origin && extend(anchor.size, anchor.root, head.size, head.root, (log.consistency || []).map(un64));
    return say(good, good ? 'the checkpoint of ' + head.size + ' entries extends the ' + anchor.size + ' that were cosigned' : 'the checkpoint does not extend what witnesses cosigned: this is another history') && ok;
  }
  function run() {
    const report = JSON.parse(document.getElementById('report-json').textContent);
    const state = {}, byId = {};
    let ok = true, opened = 0;
    const commitments = report.claims.map(c => {
      if (!c.claim) return unhex(c.commitment);
      opened++; byId[c.claim.id] = c.claim;
      return commitment(unhex(c.salt), enc.encode(canonical(c.claim)));
    });
    const claimsRoot = hex(treeRoot(commitments.map(leaf)));
    ok = say(claimsRoot === report.claims_root, opened + ' claims opened, ' + (report.claims.length - opened) + ' shown as commitments alone: they give the root ' + claimsRoot) && ok;
    let statement = report.statement, signed = false;
    if (report.signed) {
      const payload = un64(report.signed.payload), type = report.signed.payloadType;
      const pae = join(enc.encode('DSSEv1 ' + enc.encode(type).length + ' ' + type + ' ' + payload.length + ' '), payload);
      signed = report.signed.signatures.some(s => ed25519(verifierKey(s.keyid).key, pae, un64(s.sig)));
      ok = say(signed, signed ? 'the statement is signed by ' + report.signed.signatures[0].keyid + ' (compare this key with one that you got another way)' : 'the signature over the statement does not hold') && ok;
      statement = JSON.parse(dec.decode(payload));
    } else note('this report is not signed');
    ok = say(statement.predicate.claims_root === claimsRoot && statement.predicate.as_of === report.as_of, 'the statement names this root and this day') && ok;
    let head = null;
    if (report.log) {
      const c = checkpoint(report.log.checkpoint, report.log.key), p = statement.predicate.log || {};
      const good = c.good && c.origin === report.log.origin && c.size === String(report.log.size) && hex(c.root) === report.log.root && p.root === report.log.root && p.size === c.size;
      ok = say(good, 'the checkpoint of ' + c.size + ' entries of ' + c.origin + ' is signed by the log\u2019s key') && ok;
      head = good ? c : null;
      if (!report.log.anchor) note('Self-attested: no witness vouches for the log\u2019s head');
      else ok = witnessed(report.log, c) && ok;
    }
    let leaves = 0, wrong = 0;
    for (const [id, v] of Object.entries(report.evidence)) {
      if (hex(sha256(enc.encode(canonical(v)))).slice(0, 32) !== id) { state[id] = ['bad', 'not what the claims name']; wrong++; continue; }
      if (v.type === 'leaf') {
        const r = head && v.size === head.size ? inclusion(leaf(un64(v.leaf)), v.index, v.size, v.proof.map(un64)) : null;
        const good = r !== null && same(r, head.root);
        state[id] = good ? ['good', 'inclusion recomputed'] : ['bad', 'does not stand in the signed tree'];
        if (good) leaves++; else wrong++;
      } else if (v.type === 'range') state[id] = ['', 'needs the log'];
      else if (v.type === 'attestation') state[id] = ['', 'bound; the person\u2019s key is yours to know'];
      else state[id] = ['', 'needs the model\u2019s files'];
    }
    ok = say(wrong === 0, leaves + ' entries of the log recomputed into the signed root; ' + (Object.keys(report.evidence).length - leaves - wrong) + ' items of evidence need the log or the files') && ok;
    for (const el of document.querySelectorAll('[data-evidence]')) { const s = state[el.dataset.evidence]; if (s) mark(el, s[0], s[1]); }
    for (const el of document.querySelectorAll('[data-claim]')) {
      const c = byId[el.dataset.claim], out = el.querySelector('.proof');
      if (!c) { mark(out, 'bad', 'not among the signed claims'); ok = false; continue; }
      const ids = (c.evidence || []).concat(c.counter_evidence || []), types = ids.map(id => (report.evidence[id] || {}).type), bad = ids.some(id => !state[id] || state[id][0] === 'bad');
      const needs = [types.includes('range') ? 'needs the log' : '', types.includes('file') || types.includes('tensor') ? 'needs the files' : ''].filter(Boolean);
      const shown = el.querySelector('.status').classList.contains(c.status) && (!c.value || !el.querySelector('.value') || el.querySelector('.value').textContent.startsWith(c.value.slice(0, 60)));
      if (bad || !ok) mark(out, 'bad', 'its proof does not hold');
      else if (!shown) { mark(out, 'bad', 'the page shows something else than what is signed'); ok = false; }
      else mark(out, 'good', '\u2713 ' + (signed ? 'under the signed root' : 'under the root') + (types.includes('leaf') ? ', entry proved' : '') + (needs.length ? '; to recompute it, ' + needs.join(' and ') : ''));
    }
    const gravity = ['not_applicable', 'verified', 'attested', 'declared', 'stale', 'missing', 'contradicted'];
    for (const el of document.querySelectorAll('.clause')) { // a requirement has the status of its worst claim
      const badge = el.querySelector(':scope > header > .status');
      if (!badge) continue;
      const worst = Math.max(0, ...[...el.querySelectorAll('[data-claim]')].map(c => gravity.indexOf((byId[c.dataset.claim] || {}).status)));
      const applies = !el.querySelector(':scope > .excuse');
      if (badge.classList.contains(gravity[applies ? worst : 0])) continue;
      badge.textContent = 'not the status of its worst claim: ' + gravity[worst]; badge.className = 'status contradicted'; ok = false;
    }
    const box = document.getElementById('proofs');
    box.classList.add(ok ? 'good' : 'bad');
    document.getElementById('proofs-verdict').textContent = ok ? 'This page\u2019s proofs hold: recomputed in your browser.' : 'A proof on this page does not hold. Do not rely on it.';
    document.documentElement.dataset.proofs = ok ? 'good' : 'bad';
  }
  // On paper every claim says how it is known; the entries' own text stays on the screen.
  const opened = [];
  addEventListener('beforeprint', () => { for (const d of document.querySelectorAll('.claim details:not([open])')) { d.open = true; opened.push(d); } });
  addEventListener('afterprint', () => { for (const d of opened.splice(0)) d.open = false; });
  try { run(); } catch (e) {
    document.getElementById('proofs-verdict').textContent = 'The proofs could not be recomputed: ' + e.message;
    document.getElementById('proofs').classList.add('bad');
    document.documentElement.dataset.proofs = 'error';
  }
})();
