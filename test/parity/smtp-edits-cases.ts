/**
 * smtp-edits-cases - what is changed in a message: generic maps, header and body checks, for smtp.test
 */
import type { Scenario } from './smtp-scenario.ts'

const lines = [
  'Received: from inside.local by outside.test; Fri, 27 Nov 2026 10:00:00 +0000',
  'From: "Me, Myself" <me@inside.local>',
  'To: you@example.test,',
  '\tme+folder@inside.local (a comment), Group: a@inside.local, b@inside.local;',
  'Cc: user@inside.local',
  'Reply-To:   me@inside.local',
  'Subject: about me@inside.local',
  'X-Other: me@inside.local',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="b"',
  '',
  'preamble me@inside.local',
  '--b',
  'Content-Type: text/plain',
  'X-Part: drop me',
  '',
  'Subject: body secret',
  '--b',
  'Content-Type: message/rfc822',
  '',
  'Subject: nested secret',
  'To: me@inside.local',
  '',
  'nested body secret',
  '--b--',
  'epilogue',
]

function edited(settings: Record<string, string>, more: Partial<Scenario> = {}): Scenario {
  return {
    servers: { $1: { extensions: ['8BITMIME', 'SIZE', 'DSN'] } },
    nexthop: '[$1]',
    lines,
    settings,
    ...more,
  }
}

const envelope = {
  sender: 'me@inside.local',
  recipients: [
    { recipient: 'you@example.test', originalRecipient: 'you@example.test' },
    { recipient: 'me+folder@inside.local', originalRecipient: 'me+folder@inside.local' },
  ],
}
const generic = {
  smtp_generic_maps:
    'inline:{{me@inside.local=myself@provider.test},{@inside.local=@provider.test}}',
  recipient_delimiter: '+',
}

export const addressEdits: Record<string, Scenario> = {
  'generic maps': edited(generic, envelope),
  'generic maps, nothing to change': edited(
    { smtp_generic_maps: 'inline:{x@y.test=z@y.test}' },
    envelope,
  ),
  'generic maps, extensions are not kept': edited(
    { ...generic, propagate_unmatched_extensions: 'canonical' },
    envelope,
  ),
  'generic maps, a whole domain': edited(
    { smtp_generic_maps: 'inline:{@inside.local=all@provider.test}' },
    envelope,
  ),
  'generic maps, a local part of ours': edited(
    { smtp_generic_maps: 'inline:{me=myself@provider.test}', mydestination: 'inside.local' },
    envelope,
  ),
  'generic maps, a local part of others': edited(
    { smtp_generic_maps: 'inline:{me=myself@provider.test}', mydestination: 'other.local' },
    envelope,
  ),
  'generic maps, a result without domain': edited(
    { smtp_generic_maps: 'inline:{me@inside.local=myself}', myorigin: 'origin.test' },
    envelope,
  ),
  'generic maps, two results': edited(
    { smtp_generic_maps: 'inline:{{me@inside.local=a@provider.test, b@provider.test}}' },
    envelope,
  ),
  'generic maps, a pattern': edited(
    { smtp_generic_maps: 'regexp:{{/^(.*)@inside\\.local$$/ $$1@provider.test}}' },
    envelope,
  ),
  'generic maps, quotes': edited(
    { smtp_generic_maps: 'regexp:{{/^"a b"@inside/ "c d"@provider.test}}' },
    { sender: 'a b@inside.local', lines: ['From: "a b"@inside.local', '', 'x'] },
  ),
  'generic maps, null sender': edited(generic, { sender: '' }),
  'generic maps and flags': edited(
    { ...generic, recipient_delimiter: '' },
    {
      args: 'flags=DOR',
      sender: 'me@inside.local',
      recipients: [{ recipient: 'user@inside.local', originalRecipient: 'me@inside.local' }],
    },
  ),
  'generic maps and a loop': edited(generic, {
    args: 'flags=D',
    recipients: ['me@inside.local'],
    lines: ['Delivered-To: myself@provider.test', '', 'x'],
  }),
  'generic maps, 8-bit text for a 7-bit server': edited(generic, {
    ...envelope,
    servers: { $1: {} },
    request: { encoding: '8bit' },
    lines: ['From: me@inside.local', 'Content-Transfer-Encoding: 8bit', '', 'caf\xe9'],
  }),
  'LMTP, generic maps': edited(
    { lmtp_generic_maps: generic.smtp_generic_maps },
    { program: 'lmtp', servers: { $1: { isLmtp: true } }, sender: 'me@inside.local' },
  ),
}

const actions = {
  DUNNO: 'DUNNO',
  OK: 'OK',
  IGNORE: 'IGNORE',
  STRIP: 'STRIP',
  'STRIP with text': 'STRIP because',
  WARN: 'WARN',
  'WARN with text': 'WARN look',
  INFO: 'INFO hm',
  REPLACE: 'REPLACE Subject: new',
  'REPLACE without text': 'REPLACE',
  'REPLACE with no header': 'REPLACE new',
  PREPEND: 'PREPEND X-New: 1',
  'PREPEND without text': 'PREPEND',
  'PREPEND with no header': 'PREPEND new',
  REJECT: 'REJECT no',
  HOLD: 'HOLD',
  DISCARD: 'DISCARD',
  FILTER: 'FILTER x:y',
  'nothing known': 'NONSENSE text',
}
const checkActions: Record<string, Scenario> = {}
for (const [name, action] of Object.entries(actions)) {
  checkActions[`header: ${name}`] = edited({
    smtp_header_checks: `regexp:{{/^Subject:/ ${action}}}`,
  })
}
for (const action of [
  'IGNORE',
  'STRIP',
  'WARN look',
  'REPLACE new text',
  'PREPEND before',
  'REPLACE',
  'REJECT no',
]) {
  checkActions[`body: ${action}`] = edited({
    smtp_body_checks: `regexp:{{/secret|preamble/ ${action}}}`,
  })
}
export const checkEdits: Record<string, Scenario> = {
  ...checkActions,
  'MIME headers': edited({
    smtp_mime_header_checks:
      'regexp:{{/^X-Part|^Content-Type: text/ STRIP} {/^Subject/ REPLACE X-Never: 1}}',
  }),
  'nested headers': edited({
    smtp_nested_header_checks: 'regexp:{{/^Subject/ REPLACE Subject: nested} {/^To/ IGNORE}}',
  }),
  'folded header': edited({ smtp_header_checks: 'regexp:{{/^To:.*Group/ WARN here}}' }),
  'a long header': edited(
    { smtp_header_checks: 'regexp:{{/^X-Long/ WARN here}}' },
    { lines: [`X-Long: ${'x'.repeat(100)}`, '', 'x'] },
  ),
  'checks before generic maps': edited({
    ...generic,
    smtp_header_checks: 'regexp:{{/^Cc:/ REPLACE Cc: me@inside.local}}',
  }),
  'a check that fails': edited(
    { smtp_header_checks: 'fail:broken' },
    { allow: (line) => (line.includes('smtp_header_checks') ? undefined : line) },
  ),
  'a body check that fails': edited(
    { smtp_body_checks: 'fail:broken' },
    {
      allowSent: (octets) =>
        octets.replace(/(?<=DATA\r\n)[^]*$/, '') /* how much of the text is in the buffers */,
      allow: (line) => (line.includes('smtp_body_checks') ? undefined : line),
    },
  ),
  'a body check of limited length': edited(
    { smtp_body_checks: 'regexp:{{/x/ WARN seen}}', body_checks_size_limit: '30' },
    {
      lines: ['Subject: a', '', ...Array<string>(20).fill('xxxxxxxxx')],
    },
  ),
  'LMTP, header checks': edited(
    { lmtp_header_checks: 'regexp:{{/^Subject:/ WARN look}}' },
    { program: 'lmtp', servers: { $1: { isLmtp: true } } },
  ),
}
