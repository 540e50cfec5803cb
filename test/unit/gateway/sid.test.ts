import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { peekSid, tagOf, tagOfSid } from '../../../src/gateway/sid.js';

const peek = (body: string): string | undefined => peekSid(Buffer.from(body));

// printf %s ejabberd@localhost | openssl dgst -sha256 -binary | base64 | tr +/ -_ | cut -c1-6
test('the tag is the start of the base64url SHA-256 of the node name', () => {
  assert.equal(tagOf('ejabberd@localhost'), 'XFb4sv');
});

test('a sid gives its tag only in the form <tag>.<random>', () => {
  assert.equal(tagOfSid('abcdef.123'), 'abcdef');
  for (const sid of ['', 'abcdef', 'abcde.123', 'abcdefg.123']) assert.equal(tagOfSid(sid), undefined);
});

for (const body of [
  "<body sid='abcdef.1' rid='2'/>",
  '<body rid="2" sid="abcdef.1"/>',
  "<body rid='2'\n\tsid = 'abcdef.1'></body>",
  "<?xml version='1.0' encoding='UTF-8'?>\n<body sid='abcdef.1'/>",
  "\ufeff<body sid='abcdef.1'/>",
  "  \r\n<body xmlns='x' to='a>b' sid='abcdef.1'/>",
  `<body content='say "sid=x"' sid='abcdef.1'/>`,
  "<b:body xmlns:b='x' sid='abcdef.1'/>",
]) {
  test(`finds the sid in ${JSON.stringify(body)}`, () => assert.equal(peek(body), 'abcdef.1'));
}

for (const body of [
  '',
  'hello',
  '<',
  '<body',
  "<body rid='1' to='x'/>",
  "<body xsid='abcdef.1'/>",
  "<body x:sid='abcdef.1'/>",
  "<body sidx='abcdef.1'/>",
  "<body SID='abcdef.1'/>",
  `<body to="sid='abcdef.1'"/>`,
  "<body to='a'><message sid='abcdef.1'/></body>",
  "<body to='a'/><body sid='abcdef.1'/>",
  "<body sid='abcdef.1",
  '<body sid=abcdef.1/>',
  "<body to='a'sid/>",
  "<body sid='abc&#100;ef.1'/>",
  "<body sid='abcdef.1\n'/>",
  "<body sid='a b'/>",
  "<body sid='<'/>",
  `<body sid='${'x'.repeat(129)}'/>`,
  `<body x='${'x'.repeat(5000)}' sid='abcdef.1'/>`,
  '<?xml',
  "<?xml version='1.0' sid='abcdef.1'",
  "<!-- <body sid='abcdef.1'/> --><body/>",
  "<!DOCTYPE body SYSTEM 'x'><body sid='abcdef.1'/>",
]) {
  test(`no sid in ${JSON.stringify(body.slice(0, 60))}`, () => assert.equal(peek(body), undefined));
}

test('whatever stands in other attributes, it is the sid attribute that counts', () => {
  const name = fc.stringMatching(/^[a-z][a-z:-]{0,8}$/).filter((text) => text !== 'sid');
  const value = fc.stringMatching(/^[ -~]{0,30}$/).map((text) => text.replace(/[<&]/g, ''));
  const quoted = value.map((text) => (text.includes("'") ? `"${text.replaceAll('"', '')}"` : `'${text}'`));
  const attributes = fc.array(fc.tuple(name, quoted), { maxLength: 6 });
  const text = (list: readonly (readonly [string, string])[]) => list.map(([n, v]) => ` ${n}=${v}`).join('');
  fc.assert(
    fc.property(attributes, attributes, fc.boolean(), (front, behind, has) => {
      const sid = has ? " sid='abcdef.1'" : '';
      assert.equal(peek(`<body${text(front)}${sid}${text(behind)}/>`), has ? 'abcdef.1' : undefined);
    }),
  );
});

test('any bytes at all are survived', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const sid = peekSid(Buffer.concat([Buffer.from('<body '), bytes]));
      assert.ok(sid === undefined || sid.length <= 128);
    }),
  );
});
