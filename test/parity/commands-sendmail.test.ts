/**
 * commands-sendmail - every option of sendmail(1), and every sort of input, gives the same
 *
 * What the user sees, the exit status, and what is in the maildrop directory afterwards. The mail system is down, so
 * that everything stays there. Needs root and Postfix 3.7.
 */
import { join } from 'node:path'
import t from 'tap'
import type { Instance, System } from '../../scripts/instance.ts'
import { SYSTEMS } from './both-systems.ts'
import { layOut, runCommand, takeSubmissions } from './command-lines.ts'

type Case = readonly [args: string, input?: string]

const TEXT = 'Subject: s\n\nbody\n'
const LONG = 'x'.repeat(5000)

/** Words of a command line are separated by one blank; `~` stands for a blank inside a word. */
const CASES: readonly Case[] = [
  // recipients and senders on the command line
  ['a@x.test', TEXT],
  ['a@x.test b@x.test', TEXT],
  ['a@x.test,b@x.test', TEXT],
  ['local', TEXT],
  ['A~<a@x.test>', TEXT],
  ['a@x.test~(comment)', TEXT],
  ['"q~r"@x.test', TEXT],
  ['group:a@x.test,b@x.test;', TEXT],
  ['@relay:a@x.test', TEXT],
  ['<>', TEXT],
  ['-f  a@x.test', TEXT],
  ['-f <> a@x.test', TEXT],
  ['-f <s@x.test> a@x.test', TEXT],
  ['-f s@x.test a@x.test', TEXT],
  ['-fs@x.test a@x.test', TEXT],
  ['-r s@x.test a@x.test', TEXT],
  ['-f s@x.test -f t@x.test a@x.test', TEXT],
  ['-f s@x.test,t@x.test a@x.test', TEXT],
  ['-F Full~Name a@x.test', TEXT],
  ['-F  a@x.test', TEXT],
  ['-f s@x.test -F a~"b"~(c) a@x.test', TEXT],
  ['-- -a@x.test', TEXT],
  ['a@x.test -t', TEXT],
  [''],
  ['', TEXT],
  // bodies
  ['-B 8BITMIME a@x.test', TEXT],
  ['-B 7BIT a@x.test', TEXT],
  ['-B7BIT a@x.test', TEXT],
  ['-B 8bitmime a@x.test', TEXT],
  ['-B x a@x.test', TEXT],
  // DSN
  ['-N never a@x.test', TEXT],
  ['-N success,failure,delay a@x.test', TEXT],
  ['-N SUCCESS a@x.test', TEXT],
  ['-N never,delay a@x.test', TEXT],
  ['-N junk a@x.test', TEXT],
  ['-N  a@x.test', TEXT],
  ['-R full a@x.test', TEXT],
  ['-R hdrs a@x.test', TEXT],
  ['-R HDRS a@x.test', TEXT],
  ['-R junk a@x.test', TEXT],
  ['-V id123 a@x.test', TEXT],
  ['-V  a@x.test', TEXT],
  ['-V a+b=c a@x.test', TEXT],
  ['-V a~b a@x.test', TEXT],
  ['-V é a@x.test', TEXT],
  ['-f s@x.test -V += a@x.test', TEXT],
  ['-f s@x.test -V+= a@x.test', TEXT],
  ['-f s@x.test -Vab a@x.test', TEXT],
  ['-f s@x.test -V -i a@x.test', TEXT],
  // VERP
  ['-f s@x.test -XV a@x.test', TEXT],
  ['-f s@x.test -XV+= a@x.test', TEXT],
  ['-f s@x.test -XV-= a@x.test', TEXT],
  ['-f s@x.test -XV+ a@x.test', TEXT],
  ['-f s@x.test -XV:: a@x.test', TEXT],
  ['-f <> -XV a@x.test', TEXT],
  ['-X log a@x.test', TEXT],
  ['-bv -XV a@x.test'],
  // reports
  ['-v a@x.test', TEXT],
  ['-bv a@x.test b'],
  ['-bv -f s@x.test "a~b"@x.test'],
  ['-bv -t a@x.test', TEXT],
  ['-bv'],
  // ignored
  ['-G a@x.test', TEXT],
  ['-A x a@x.test', TEXT],
  ['-Ac -Am a@x.test', TEXT],
  ['-c a@x.test', TEXT],
  ['-e m a@x.test', TEXT],
  ['-em -ep -eq a@x.test', TEXT],
  ['-h 5 a@x.test', TEXT],
  ['-L label a@x.test', TEXT],
  ['-m a@x.test', TEXT],
  ['-O X=y a@x.test', TEXT],
  ['-p proto a@x.test', TEXT],
  ['-U a@x.test', TEXT],
  ['-x a@x.test', TEXT],
  ['-om a@x.test', TEXT],
  ['-oem -odb -oo a@x.test', TEXT],
  ['-o a@x.test', TEXT],
  ['-bm a@x.test', TEXT],
  ['-bh'],
  ['-bH'],
  ['-q15m'],
  ['-q1h a@x.test'],
  // refused
  ['-n a@x.test', TEXT],
  ['-b a@x.test', TEXT],
  ['-bz a@x.test', TEXT],
  ['-bD a@x.test', TEXT],
  ['-bt'],
  ['-Z a@x.test', TEXT],
  ['-f'],
  ['-B'],
  ['-D a@x.test', TEXT],
  ['-d a@x.test', TEXT],
  ['-s a@x.test', TEXT],
  ['-C /nonexistent a@x.test', TEXT],
  ['-C /nonexistent/main.cf a@x.test', TEXT],
  ['-C'],
  // other commands
  ['-bp'],
  ['-bp x'],
  ['-q'],
  ['-q x'],
  ['-qR'],
  ['-qRx.test'],
  ['-qR x.test'],
  ['-qI'],
  ['-qIABCDEF0123'],
  ['-qIabc'],
  ['-qS'],
  ['-qSx.test'],
  ['-qx'],
  ['-bi'],
  ['-I'],
  ['-bi x'],
  ['-oA'],
  // -i, dots and ends of input
  ['a@x.test', 'Subject: s\n\none\n.\ntwo\n'],
  ['-i a@x.test', 'Subject: s\n\none\n.\ntwo\n'],
  ['-oi a@x.test', 'Subject: s\n\none\n.\ntwo\n'],
  ['a@x.test', 'Subject: s\n\n..\n.x\n. \n'],
  ['a@x.test', 'Subject: s\n\none\n.'],
  ['a@x.test', 'Subject: s\n\none\n.\r\ntwo\n'],
  ['a@x.test', '.\n'],
  ['a@x.test', ''],
  ['a@x.test', '\n'],
  ['a@x.test', '\n\n'],
  ['a@x.test', 'no end'],
  ['a@x.test', 'Subject: no body'],
  ['a@x.test', 'Subject: s\r\n\r\nbody\r\n'],
  ['a@x.test', 'Subject: s\r\n\r\nbody\nmixed\r\r\n\rx\n'],
  ['a@x.test', 'Subject: s\n\na\rb\r\n'],
  ['a@x.test', 'Subject: s\n\na\0b\n\0\n'],
  ['a@x.test', 'From me Mon Jan  1\nSubject: s\n\nFrom you\n'],
  ['a@x.test', '>From me Mon Jan  1\n>>From x\nSubject: s\n\n>From you\n'],
  ['a@x.test', 'from me\nSubject: s\n\n'],
  ['a@x.test', `Subject: ${LONG}\n\n${LONG}\n${'y'.repeat(2048)}\n${'z'.repeat(2049)}\n`],
  ['a@x.test', 'w'.repeat(2048)],
  [
    'a@x.test',
    `${'y'.repeat(2047)}\r\n${'y'.repeat(2048)}\r\r\n${'y'.repeat(2046)}\r\n${'y'.repeat(2048)}.\n`,
  ],
  ['a@x.test', 'Subject: caf\xc3\xa9\n\n\xff\xfe\n'],
  // -t
  ['-t', `To: a@x.test\n${TEXT}`],
  ['-t', 'To: a@x.test\n\nbody'],
  ['-t', 'To: a@x.test\nno header'],
  ['-t', 'To: a@x.test\nno hea\0der\n'],
  ['-t', `To: a@x.test\nX: ${'y'.repeat(2045)}\nY: ${'y'.repeat(2046)}\n\n`],
  ['-t', `To: a@x.test\nX: ${'y'.repeat(5000)}`],
  ['-t', `To: a@x.test\nX: ${'y'.repeat(250_000)}\n z\nCc: b@x.test\n\nx\n`],
  ['-t', `To: a@x.test\nX: y\n${` ${'z'.repeat(99)}\n`.repeat(1100)}Cc: b@x.test\n\nx\n`],
  ['-t', `To: a@x.test\nX: a\0b\n c\0d\nY: ${'y'.repeat(2046)}\0z\n\nx\0y\n`],
  ['-t', `To: a@x.test, b@x.test\nCc: c@x.test\nBcc: d@x.test\n${TEXT}`],
  ['-t e@x.test', `To: a@x.test\n${TEXT}`],
  ['-t e@x.test', TEXT],
  ['-t', TEXT],
  ['-t', ''],
  ['-t', '\n'],
  ['-t', 'To: \n\nx\n'],
  ['-t', 'To: undisclosed-recipients:;\n\nx\n'],
  ['-t', 'To: friends: a@x.test, B <b@x.test>;, c@x.test\n\nx\n'],
  ['-t', 'To: a@x.test,\n b@x.test,\n\tc@x.test\n\nx\n'],
  ['-t', 'to: a@x.test\nCC: b@x.test\nbCc: c@x.test\n\nx\n'],
  ['-t', 'To : a@x.test\nCc\t: b@x.test\n\nx\n'],
  ['-t', 'To:a@x.test\n\nx\n'],
  ['-t', 'To: "A, B" <a@x.test>, c (d, e) f\n\nx\n'],
  ['-t', 'To: =?utf-8?q?x?= <a@x.test>\n\nx\n'],
  ['-t', 'To: "q r"@x.test, <@relay:b@x.test>, c@[1.2.3.4]\n\nx\n'],
  ['-t', 'Apparently-To: a@x.test\nReply-To: b@x.test\n\nx\n'],
  ['-t', 'Resent-To: r@x.test\nTo: a@x.test\nBcc: b@x.test\n\nx\n'],
  ['-t', 'To: a@x.test\nResent-Cc: r@x.test\nResent-Bcc: s@x.test\n\nx\n'],
  ['-t', 'To: a@x.test\nResent-From: r@x.test\n\nx\n'],
  ['-t', 'To: a@x.test\nResent-To: \n\nx\n'],
  ['-t', 'To: a@x.test\nno header\nCc: b@x.test\n\nx\n'],
  ['-t', ' To: a@x.test\nCc: b@x.test\n\nx\n'],
  ['-t', 'To: a@x.test\nBcc: b@x.test'],
  ['-t', 'To: a@x.test\n\nTo: b@x.test\n'],
  ['-t', 'To: a@x.test\nTo: b@x.test\nTo: a@x.test\n\nx\n'],
  ['-t', 'To: a@x.test\r\nBcc: b@x.test\r\n\r\nx\r\n'],
  ['-t', `To: a@x.test,\n ${'(c) '.repeat(800)}b@x.test\n\nx\n`],
  ['-t', `Subject: ${LONG}\nTo: a@x.test\n\nx\n`],
  ['-t', 'Return-Receipt-To: a@x.test\nErrors-To: b@x.test\nTo: c@x.test\n\nx\n'],
  ['-t', 'To: <>\n\nx\n'],
  ['-t', 'To: a@x.test b@x.test; c\n\nx\n'],
  ['-t', 'To: root@localhost, @, a@, "\n\nx\n'],
  ['-t', 'To: a\0b@x.test\n\nx\n'],
  ['-t -N never -f s@x.test -i', 'To: a@x.test\nBcc: b@x.test\n\n.\n'],
  ['-t', 'From x\nTo: a@x.test\n\nx\n'],
  ['-t', 'To: a@x.test\n.\nx\n'],
  ['-t', 'From: z@x.test\nSender: y@x.test\nTo: a@x.test\n\nx\n'],
  ['-bs', 'QUIT\r\n'],
]

const COMMANDS: Readonly<Record<System, (name: string) => string>> = {
  postfix: (name) => (name === 'sendmail' ? '/usr/sbin/sendmail' : `/usr/bin/${name}`),
  posthorn: (name) => join(import.meta.dirname, '../../build/sbin', name),
}

async function outcomes(instance: Instance, system: System): Promise<unknown[]> {
  const found: unknown[] = []
  for (const [text, input = ''] of CASES) {
    const args = text.split(' ').map((word) => word.replaceAll('~', ' '))
    const outcome = await runCommand(
      instance,
      COMMANDS[system]('sendmail'),
      text === '' ? [] : args,
      {
        input: Buffer.from(input, 'latin1'),
        environment: { NAME: 'Test User' },
      },
    )
    // Postfix reads the options twice, and complains twice
    const stderr = outcome.stderr.replace(/^(.*-- '.'\n)\1/, '$1')
    found.push({ ...outcome, stderr, maildrop: await takeSubmissions(instance) })
  }
  return found
}

t.test('sendmail', async (t) => {
  const seen: Partial<Record<System, unknown[]>> = {}
  await Promise.all(
    SYSTEMS.map(async (system) => {
      seen[system] = await outcomes(await layOut(t, system), system)
    }),
  )
  for (const [at, [text, input = '']] of CASES.entries()) {
    t.same(
      seen.posthorn?.[at],
      seen.postfix?.[at],
      `sendmail ${text} < ${JSON.stringify(input.slice(0, 60))}`,
    )
  }
})
