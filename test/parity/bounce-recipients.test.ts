/**
 * bounce-recipients - who gets a notice from either system, and in whose words
 *
 * Needs root and Postfix 3.7.
 */
import t from 'tap'
import { delay, failure } from './bounce-requests.ts'
import { compareNotices, TEMPLATE, type BounceCase } from './bounce-cases.ts'

const notify = (flags: number, address: string): NonNullable<BounceCase['entries']>[number] => ({
  recipient: { notifyFlags: flags, recipient: address },
})
const classes: BounceCase[] = [
  ...[1, 2, 4, 8, 14].map((flags) => ({
    name: `NOTIFY ${flags}, failure`,
    ...failure,
    entries: [notify(flags, 'a@x.test')],
  })),
  ...[1, 2, 4, 8].map((flags) => ({
    name: `NOTIFY ${flags}, delay`,
    ...delay,
    entries: [notify(flags, 'a@x.test')],
  })),
  {
    name: 'mixed NOTIFY, failure',
    ...failure,
    entries: [
      notify(1, 'a@x.test'),
      notify(4, 'b@x.test'),
      notify(0, 'c@x.test'),
      notify(8, 'd@x.test'),
    ],
  },
  {
    name: 'mixed NOTIFY, class bounce',
    ...failure,
    main: { notify_classes: 'bounce' },
    entries: [notify(1, 'a@x.test'), notify(4, 'b@x.test')],
  },
  {
    name: 'NOTIFY=NEVER, class bounce',
    ...failure,
    main: { notify_classes: 'bounce' },
    entries: [notify(1, 'a@x.test')],
  },
  {
    name: 'class bounce',
    ...failure,
    main: { notify_classes: 'bounce', bounce_notice_recipient: 'boss@x.test' },
  },
  {
    name: 'class bounce, RET=FULL',
    ...failure,
    returnFlags: 1,
    main: { notify_classes: 'bounce' },
  },
  { name: 'bounce of nobody', ...failure, sender: '' },
  {
    name: 'bounce of nobody, class bounce',
    ...failure,
    sender: '',
    main: { notify_classes: 'bounce', '2bounce_notice_recipient': 'two@x.test' },
  },
  {
    name: 'bounce of nobody, class 2bounce',
    ...failure,
    sender: '',
    main: { notify_classes: '2bounce' },
  },
  {
    name: 'double bounce',
    ...failure,
    sender: 'double-bounce@mx.example.test',
    main: { notify_classes: 'bounce, 2bounce' },
  },
  { name: 'double bounce in other letters', ...failure, sender: 'Double-Bounce@MX.example.test' },
  {
    name: 'double_bounce_sender',
    ...failure,
    sender: 'db@mx.example.test',
    main: { double_bounce_sender: 'db' },
  },
  { name: 'threads', ...failure, main: { enable_threaded_bounces: 'yes' } },
  {
    name: 'threads, class bounce',
    ...failure,
    main: { enable_threaded_bounces: 'yes', notify_classes: 'bounce' },
  },
  {
    name: 'threads without Message-Id',
    ...failure,
    message: { name: '', before: ['Arewrite_context=remote'], text: 'Subject: x\n\nbody' },
    main: { enable_threaded_bounces: 'yes' },
  },
  {
    name: 'threads, odd Message-Id',
    ...failure,
    message: { name: '', text: 'Message-Id: no brackets\n\nbody' },
    main: { enable_threaded_bounces: 'yes' },
  },
  {
    name: 'threads, folded Message-Id',
    ...failure,
    message: { name: '', text: 'Message-Id:\n <a@b.test>\n\nbody' },
    main: { enable_threaded_bounces: 'yes' },
  },
  {
    name: 'threads, References',
    ...failure,
    message: { name: '', text: 'Message-Id: <a@b.test> (x)\nReferences: <c@d.test>\n\nbody' },
    main: { enable_threaded_bounces: 'yes' },
  },
  { name: 'filtered', ...failure, main: { internal_mail_filter_classes: 'bounce' } },
  { name: 'header_from_format', ...failure, main: { header_from_format: 'obsolete' } },
]

const macros =
  'delay_template = <<END\nSubject: late\nPostmaster-Subject: boss\nFrom: somebody <a@b.test>\nCharset: utf-8\n\n' +
  'at $myhostname ${mydomain} $(mail_name) $$1 $delay_warning_time_seconds $delay_warning_time_minutes ' +
  '$delay_warning_time_hours $maximal_queue_lifetime_days $maximal_queue_lifetime_weeks\n\nsecond $notify_classes\nEND\n\n' +
  '# comment\nfailure_template = <<EOF\nSubject: failed\nPostmaster-Subject: boss too\n\nFailed.\nEOF\n'
const late = { delay_warning_time: '36h', maximal_queue_lifetime: '20d' }
const broken = (text: string): BounceCase => ({
  name: `template ${JSON.stringify(text)}`,
  ...failure,
  template: `${TEMPLATE}failure_template = <<EOF\n${text}\nEOF\n`,
})
const templates: BounceCase[] = [
  { name: 'macros', ...delay, template: macros, main: late },
  {
    name: 'macros, postmaster',
    ...delay,
    template: macros,
    main: { ...late, notify_classes: 'delay' },
  },
  { name: 'template headers', ...failure, template: macros, main: { notify_classes: 'bounce' } },
  {
    name: 'IDN hosts',
    ...failure,
    template: 'failure_template = <<EOF\n\n$myhostname $mydomain\nEOF\n',
    main: { myhostname: 'mx.xn--bcher-kva.test', mydomain: 'xn--bcher-kva.test' },
  },
  {
    name: 'IDN hosts, smtputf8_enable = no',
    ...failure,
    template: 'failure_template = <<EOF\n\n$myhostname $mydomain\nEOF\n',
    main: {
      smtputf8_enable: 'no',
      myhostname: 'mx.xn--bcher-kva.test',
      mydomain: 'xn--bcher-kva.test',
    },
  },
  broken('Subject: x\nFrom:  y  \nCharset: iso-8859-1\n\n\xe4\xf6\xfc'),
  broken('\nonly text\n\n  indented'),
  broken('only text'),
  broken('subject: lower\nPOSTMASTER-SUBJECT: upper\n\ntext'),
  broken('Subject: x\n\ntext: more\n# no comment'),
]

t.setTimeout(120_000)
t.test('who is told', async (t) => compareNotices(t, classes))
t.test('templates', async (t) => compareNotices(t, templates))
