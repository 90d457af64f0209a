// Bindings of other registrars, as their own tools write them: each file becomes bindings that a lookup finds.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bindingOf, type ImportedBinding } from '../../src/commands/import/location-import.ts';
import { readLocations } from '../../src/commands/import/location-sources.ts';
import { InputFile } from '../../src/commands/terminal/input-file.ts';
import { createRegistrar } from '../../src/server/embed/embedded.ts';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';

afterAll(removeDirectories);

const folder = temporaryDirectory();
const NOW = 1_700_000_000_000;
const LATER = NOW / 1000 + 600;
const HASH = 'd0f4c3b2a1';

/** What a file says: an AOR with its contact, or why it is left out. */
async function read(text: string, domain?: string): Promise<{ found: ImportedBinding[]; left: string[] }> {
  const name = join(folder, `file-${Math.random()}`);
  writeFileSync(name, text);
  const file = InputFile.open(name);
  await file.settle(undefined);
  const found: ImportedBinding[] = [];
  const left: string[] = [];
  let sequence = 0;
  for await (const row of await readLocations(file, () => {})) {
    const context = { zone: 0, now: NOW, ...(domain !== undefined && { domain }) };
    const binding = bindingOf(row, ++sequence, context);
    if (typeof binding === 'string') left.push(`${row.line}: ${binding}`);
    else if ('rule' in binding) left.push(`${row.line}: ${binding.rule}`);
    else found.push(binding);
  }
  file.close();
  return { found, left };
}

const short = ({ aor, contact, source }: ImportedBinding) => `${aor} ${contact} ${source.address}:${source.port}`;

describe('Asterisk', () => {
  const contact = (more: object = {}) =>
    JSON.stringify({
      uri: 'sip:alice@203.0.113.7:40001^3Btransport=UDP^3Bx-ast-orig-host=192.168.1.5:5060',
      ...{ expiration_time: String(LATER), call_id: 'one', user_agent: 'Yealink', path: '', via_addr: '192.168.1.5' },
      ...more,
    });

  it('`database show`: contacts of res_pjsip and chan_sip, others passed over', async () => {
    const { found, left } = await read(
      `/SIP/Registry/carol                               : 192.0.2.9:5062:3600:carol:sip:carol@192.0.2.9:5062
/DUNDi/secret                                     : x
/registrar/contact/alice;@${HASH}                 : ${contact()}
/registrar/contact/bob;@${HASH}                   : ${contact({ expiration_time: '1600000000', uri: 'sip:bob@192.0.2.8' })}
/registrar/contact/dave;@${HASH}                  : {"uri":
4 results found.
`,
      'example.com',
    );
    expect(found.map(short)).toEqual([
      'carol@example.com sip:carol@192.0.2.9:5062 192.0.2.9:5062',
      'alice@example.com sip:alice@192.168.1.5:5060;transport=UDP 203.0.113.7:40001',
    ]);
    expect(found[1].message).toContain('Contact: <sip:alice@192.168.1.5:5060;transport=UDP>;expires=600\r\n');
    expect(found[1]).toMatchObject({ callId: 'one' });
    expect(left).toEqual(['4: expired', '5: the entry is no JSON']);
  });

  it('astdb.sqlite3 and ps_contacts', async () => {
    const sqlite = `CREATE TABLE astdb(key VARCHAR(256), value VARCHAR(256), PRIMARY KEY(key));
INSERT INTO astdb VALUES('/registrar/contact/alice^3B@${HASH}','${contact()}');
INSERT INTO astdb VALUES('/pbx/UUID','x');
`;
    const one = await read(sqlite, 'example.com');
    expect(one.found.map(({ aor }) => aor)).toEqual(['alice@example.com']);
    expect(one.left).toEqual(['3: no registration']);
    const csv = `id,uri,expiration_time,path,user_agent\n"alice@pbx.example.com^3B@${HASH}",sip:alice@192.0.2.4^3Bob,${LATER},<sip:edge.example.net^3Blr>,x\n`;
    const { found } = await read(csv);
    expect(found.map(short)).toEqual(['alice@pbx.example.com sip:alice@192.0.2.4;ob 192.0.2.4:5060']);
    expect(found[0].message).toContain('Path: <sip:edge.example.net;lr>\r\n');
  });
});

describe('FreeSWITCH', () => {
  it('sip_registrations: the source, a Path, and connections', async () => {
    const { found, left } = await read(
      `CREATE TABLE sip_registrations (call_id VARCHAR(255), sip_user VARCHAR(255), sip_host VARCHAR(255), contact VARCHAR(1024), status VARCHAR(255), expires BIGINT, user_agent VARCHAR(255), network_ip VARCHAR(255), network_port VARCHAR(6));
INSERT INTO sip_registrations VALUES('c1','1001','example.com','"Al \\"x" <sip:1001@192.168.1.4:5060;fs_nat=yes;fs_path=sip%3A1001%40203.0.113.7%3A4000>','Registered(UDP-NAT)',${LATER},'Snom','203.0.113.7','4000');
INSERT INTO sip_registrations VALUES('c2','1002','example.com','<sip:1002@192.168.1.5;ob;fs_path=%3Csip%3Aedge.example.net%3Blr%3E>','Registered(UDP)',${LATER},'Snom','198.51.100.1','5060');
INSERT INTO sip_registrations VALUES('c3','1003','example.com','<sip:1003@192.168.1.6;transport=ws>','Registered(WSS-NAT)',${LATER},'JsSIP','203.0.113.9','6000');
`,
    );
    expect(found.map(short)).toEqual([
      '1001@example.com sip:1001@192.168.1.4:5060 203.0.113.7:4000',
      '1002@example.com sip:1002@192.168.1.5;ob 198.51.100.1:5060',
    ]);
    expect(found[1].message).toContain('Path: <sip:edge.example.net;lr>\r\n');
    expect(left).toEqual([expect.stringMatching(/^4: over wss, /)]);
  });

  it('`show registrations`', async () => {
    const { found, left } =
      await read(`reg_user,realm,token,url,expires,network_ip,network_port,network_proto,hostname,metadata
1001,example.com,c1,sofia/internal/sip:1001@192.0.2.4:5060;ob,${LATER},192.0.2.4,5060,udp,pbx,
1002,example.com,c2,verto.rtc/1002@example.com,${LATER},192.0.2.5,443,tcp,pbx,
`);
    expect(found.map(short)).toEqual(['1001@example.com sip:1001@192.0.2.4:5060;ob 192.0.2.4:5060']);
    expect(left).toEqual(['3: not of SIP']);
  });
});

it('Flexisip: hashes of Redis, as redis-cli prints them', async () => {
  const contact = (uri: string, more = '') =>
    `<${uri};fs-conn-id=9f;callid=c%401;expires=900;cseq=21;updatedAt=${NOW / 1000 - 100};alias=no;usedAsRoute=no` +
    `?path=%3Csip%3Aproxy.example.net%3Blr%3E&user-agent=Linphone%2F5>;q=0.5${more}`;
  const { found, left } = await read(
    `fs:alice@example.com
"<urn:uuid:1>"
${contact('sip:alice@192.0.2.4:5060;transport=tls', ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>";reg-id=1')}
two
<sip:other@example.com;expires=900;updatedAt=${NOW / 1000};alias=yes>
fs:bob@example.com
three
${contact('sip:bob@192.0.2.5').replace('expires=900', 'expires=50')}
`,
  );
  expect(found.map(short)).toEqual(['alice@example.com sip:alice@192.0.2.4:5060;transport=tls 192.0.2.4:5060']);
  expect(found[0]).toMatchObject({ callId: 'c@1', cseq: 21 });
  for (const part of [
    ';expires=800;q=0.5;+sip.instance="<urn:uuid:',
    'Path: <sip:proxy.example.net;lr>',
    'User-Agent: Linphone/5',
  ])
    expect(found[0].message).toContain(part);
  expect(left).toEqual(['5: an alias of another user', '8: expired']);
});

it('ul.dump by JSON-RPC, of any number of contacts, and OpenSIPS’s usrloc:dump', async () => {
  const kamailio = (n: number) => ({
    Info: {
      AoR: `user${n}@example.com`,
      HashID: n,
      Contacts: [
        {
          Contact: {
            ...{ Address: `sip:user${n}@192.0.2.4:${5000 + n}`, Expires: 600, Q: -1, 'Call-ID': `c${n}`, CSeq: 7 },
            ...{ 'User-Agent': 'x', Received: '[not set]', Path: n === 1 ? '<sip:edge.example.net;lr>' : '[not set]' },
          },
        },
      ],
    },
  });
  const AoRs = Array.from({ length: 1000 }, (_, n) => kamailio(n));
  const answer = { jsonrpc: '2.0', result: { Domains: [{ Domain: { Domain: 'location', Size: 1024, AoRs } }] }, id: 1 };
  const { found, left } = await read(JSON.stringify(answer, null, 2));
  expect([found.length, left]).toEqual([1000, []]);
  expect(found[1].message).toContain('Path: <sip:edge.example.net;lr>');

  const contacts = [
    {
      Contact: 'sip:a@192.0.2.4',
      Expires: 30,
      Q: '',
      Callid: 'c',
      Cseq: 3,
      'User-agent': 'x',
      Received: 'sip:203.0.113.7:4000',
    },
  ];
  const opensips = { Domains: [{ name: 'location', AORs: [{ AOR: 'a', Contacts: contacts }] }] };
  expect((await read(JSON.stringify(opensips), 'example.com')).found.map(short)).toEqual([
    'a@example.com sip:a@192.0.2.4 203.0.113.7:4000',
  ]);
  await expect(read('{"error":"x"}')).rejects.toThrow('no "Domains" in it');
  await expect(read('{"jsonrpc":')).rejects.toThrow('no JSON');
});

it('received and Path are both kept: in, and out again', async () => {
  const data = temporaryDirectory();
  const file = join(data, 'location.csv');
  const expires = Math.floor(Date.now() / 1000) + 600;
  writeFileSync(
    file,
    `username,domain,contact,received,path,expires,callid,cseq\nalice,example.com,sip:alice@192.168.1.5:5060,sip:203.0.113.7:40001,<sip:edge.example.net;lr>,${expires},c,7\n`,
  );
  const ran = spawnSync(process.execPath, [CLI, 'location', 'import', file, '--data', join(data, 'aorta')], {
    encoding: 'utf8',
  });
  expect(ran.stdout, ran.stderr).toMatch(/^imported 1, skipped 0 /);
  const registrar = createRegistrar({ data: join(data, 'aorta'), domains: ['example.com'], auth: 'none' });
  await registrar.start();
  const [binding] = registrar.lookup('alice@example.com').contacts;
  await registrar.stop();
  expect(binding).toMatchObject({
    path: ['<sip:edge.example.net;lr>'],
    source: { address: '203.0.113.7', port: 40_001 },
  });
  const { rowOf } = await import('../../src/commands/import/location-export.ts');
  const row = rowOf('alice@example.com', binding, 1, { format: 'csv', database: 'mysql', zone: 0 });
  expect(row).toContain(',sip:203.0.113.7:40001,"<sip:edge.example.net;lr>",');
});
