// validate.mjs SCHEMAS KIND FILE: cyclonedx and sarif by ajv, spdx by SHACL. Prints what is wrong.
// The published SPDX shapes are typed owl:Class alone; without the retyping below nothing is
// targeted and every document "conforms". The class tree goes into the data graph, so that
// sh:class sees subclasses.
import fs from 'fs';
import path from 'path';
import Ajv from 'ajv';
import formats from 'ajv-formats';
import jsonld from 'jsonld';
import { Parser, Store } from 'n3';
import SHACL from 'rdf-validate-shacl';

const [schemas, kind, file] = process.argv.slice(2);
const read = name => JSON.parse(fs.readFileSync(path.join(schemas, name)));
const doc = JSON.parse(fs.readFileSync(file));
const wrong = [];

if (kind === 'spdx') {
  const RDFS = 'http://www.w3.org/2000/01/rdf-schema#Class';
  const ttl = fs.readFileSync(path.join(schemas, 'spdx-model.ttl'), 'utf8')
    .replaceAll('a owl:Class,\n        sh:NodeShape', `a owl:Class, <${RDFS}>,\n        sh:NodeShape`);
  const onto = new Parser().parse(ttl);
  doc['@context'] = read('spdx-context.jsonld')['@context'];
  const nq = await jsonld.toRDF(doc, { format: 'application/n-quads', base: 'https://example.org/' });
  const data = new Store(new Parser({ format: 'N-Quads' }).parse(nq));
  for (const q of onto)
    if (q.predicate.value.endsWith('subClassOf') || (q.predicate.value.endsWith('#type') && q.subject.termType === 'NamedNode')) data.add(q);
  const result = await new SHACL(new Store(onto)).validate(data);
  for (const r of result.results)
    if (!r.focusNode.value.startsWith('https://spdx.org/'))
      wrong.push(`${r.focusNode.value} ${r.path?.value} ${r.sourceConstraintComponent?.value}`);
} else {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true, unicodeRegExp: false });
  formats(ajv);
  for (const f of ['iri-reference', 'idn-email']) ajv.addFormat(f, true);
  let schema = read(kind === 'sarif' ? 'sarif-schema-2.1.0.json' : 'bom-1.7.schema.json');
  if (schema.$schema?.includes('draft-04')) { delete schema.$schema; schema.$id = schema.id; delete schema.id; }
  for (const n of ['spdx.schema.json', 'jsf-0.82.schema.json', 'cryptography-defs.schema.json'])
    if (kind !== 'sarif') ajv.addSchema(read(n), `http://cyclonedx.org/schema/${n}`);
  const validate = ajv.compile(schema);
  if (!validate(doc)) for (const e of validate.errors) wrong.push(`${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
}
for (const w of wrong.slice(0, 20)) console.log(w);
console.log(`${wrong.length} violations`);
process.exit(wrong.length ? 1 : 0);
