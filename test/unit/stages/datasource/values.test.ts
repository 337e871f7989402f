// What single providers make of what their services say.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { healthReport } from '../../../../src/stages/datasource/azure.ts';
import { keysOfProject } from '../../../../src/stages/datasource/gcp.ts';
import { parseKeys } from '../../../../src/stages/datasource/hetzner.ts';
import { instanceOf, parseAnswer, parseVariables } from '../../../../src/stages/datasource/scaleway.ts';
import { decodeValue } from '../../../../src/stages/datasource/vmware.ts';

describe('scaleway', () => {
  it("what Scaleway's service prints", () => {
    const variables = parseVariables(`ID=7c6f1ee4
HOSTNAME=scw-one
LOCATION='zone par1 cluster 41'
LOCATION_ZONE_ID=par1
PRIVATE_IP=10.1.2.3
PUBLIC_IP_ADDRESS=
SSH_PUBLIC_KEYS=11
SSH_PUBLIC_KEYS_10_KEY='ssh-rsa AAAA ten'
SSH_PUBLIC_KEYS_1_KEY="ssh-rsa AAAA one"
SSH_PUBLIC_KEYS_1_FINGERPRINT='2048 ab:cd (RSA)'
SSH_PUBLIC_KEYS_2_KEY=
no assignment
`);
    expect(instanceOf(variables)).toEqual({
      hostname: 'scw-one',
      facts: new Map([
        ['instance_id', '7c6f1ee4'],
        ['instance_location', 'par1'],
        ['private_ip', '10.1.2.3'],
      ]),
      keys: ['ssh-rsa AAAA one', 'ssh-rsa AAAA ten'],
    });
  });

  it.each([
    ['HTTP/1.0 200 OK\r\nServer: x\r\n\r\nbody\r\n\r\nmore', { status: 200, body: 'body\r\n\r\nmore' }],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nbody', { status: 200, body: 'bo' }],
    ['HTTP/1.0 404 NOT FOUND\r\n\r\n', { status: 404, body: '' }],
  ])('answer %j', (text, { status, body }) => {
    expect(parseAnswer(Buffer.from(text))).toEqual({ status, body: Buffer.from(body) });
  });

  it.each([
    ['', /no HTTP/],
    ['SSH-2.0-x\r\n\r\n', /no HTTP/],
    ['HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nbody', /only 4 of 9 bytes/],
  ])('answer %j is none', (text, message) => {
    expect(() => parseAnswer(Buffer.from(text))).toThrow(message);
  });

  it('any text is read to its end', () => {
    fc.assert(fc.property(fc.string(), (text) => parseVariables(text) instanceof Map));
  });
});

describe('gcp', () => {
  const now = Date.parse('2024-06-01T00:00:00Z');
  const note = (expireOn: string) => `google-ssh {"userName":"u@d","expireOn":"${expireOn}"}`;
  it.each([
    ['me:ssh-rsa AAAA me@x', ['ssh-rsa AAAA me@x']],
    ['a:ssh-rsa A\n\nb:ssh-ed25519 B c:d\n', ['ssh-rsa A', 'ssh-ed25519 B c:d']],
    ['ssh-rsa AAAA no:user', ['ssh-rsa AAAA no:user']],
    [`me:ssh-rsa AAAA ${note('2024-06-01T00:05:00+0000')}`, ['ssh-rsa AAAA google-ssh']],
    [`me:ssh-rsa AAAA ${note('2024-05-31T23:59:00+0000')}`, []],
    ['me:ssh-rsa AAAA google-ssh {broken}', ['ssh-rsa AAAA google-ssh']],
    ['', []],
  ])('%j', (text, expected) => {
    expect(keysOfProject(text, now)).toEqual(expected);
  });
});

describe('hetzner', () => {
  it.each([
    ['["ssh-rsa A","ssh-rsa B"]', ['ssh-rsa A', 'ssh-rsa B']],
    ['[]', []],
    ['ssh-rsa A\nssh-rsa B', ['ssh-rsa A', 'ssh-rsa B']],
  ])('%j', (text, expected) => {
    expect(parseKeys(text)).toEqual(expected);
  });
  it.each(['[', '[1]', '[["a"]]'])('%j is refused', (text) => {
    expect(() => parseKeys(text)).toThrow(/hetzner's list of keys is no/);
  });
});

describe('azure', () => {
  it('the report names what the goal state names', () => {
    const state = `<?xml version="1.0"?><GoalState><Version>2012-11-30</Version><Incarnation>3</Incarnation>
      <Container><ContainerId>c-1</ContainerId><RoleInstanceList><RoleInstance>
      <InstanceId>role_IN.0</InstanceId></RoleInstance></RoleInstanceList></Container></GoalState>`;
    const report = healthReport(state);
    for (const piece of [
      '<GoalStateIncarnation>3</GoalStateIncarnation>',
      '<ContainerId>c-1</ContainerId>',
      '<InstanceId>role_IN.0</InstanceId>',
      '<State>Ready</State>',
    ]) {
      expect(report).toContain(piece);
    }
    expect(() => healthReport(state.replace('<InstanceId>role_IN.0', '<InstanceId><x/>'))).toThrow('has no InstanceId');
  });
});

describe('vmware', () => {
  it.each([
    ['plain', '', 'plain'],
    ['plain', ' ', 'plain'],
    ['aGk=', 'base64', 'hi'],
    ['aGk=', 'b64', 'hi'],
    ['H4sIAAAAAAAAA8vIBACsKpPYAgAAAA==', 'gzip+base64', 'hi'],
    ['H4sIAAAAAAAAA8vIBACsKpPYAgAAAA==', 'gz+b64', 'hi'],
  ])('%s with encoding %j', (value, encoding, expected) => {
    expect(Buffer.from(decodeValue(value, encoding, 'userdata')).toString()).toBe(expected);
  });
  it.each([
    ['x', 'rot13', /guestinfo.userdata.encoding is "rot13"/],
    ['?', 'base64', /not valid base64/],
    ['aGk=', 'gzip+base64', /not valid gzip/],
  ])('%s with encoding %s is refused', (value, encoding, message) => {
    expect(() => decodeValue(value, encoding, 'userdata')).toThrow(message);
  });
});
