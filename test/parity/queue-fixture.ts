/**
 * queue-fixture - a queue with good messages and odd things in it
 *
 * Written anew before every command that changes it. Contents do not matter here, only names, modes, places and ages.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Instance } from '../../scripts/instance.ts'

const QUEUES = [
  'maildrop',
  'incoming',
  'active',
  'deferred',
  'hold',
  'defer',
  'bounce',
  'trace',
  'flush',
  'corrupt',
] as const
const HASHED = new Set<string>(['defer', 'deferred'])
const READY = 0o700
const EIGHT_DAYS_AGO = 8 * 24 * 3600

export class QueueFixture {
  readonly instance: Instance
  /** By label: maildrop, incoming, active, deferred, hold, and second ones: deferred2. */
  readonly ids = new Map<string, string>()

  constructor(instance: Instance) {
    this.instance = instance
  }

  path(queue: string, name: string): string {
    const spool = join(this.instance.queueDirectory, queue)
    return HASHED.has(queue) ? join(spool, name.charAt(0), name) : join(spool, name)
  }

  file(path: string, mode: number, ageSeconds = 0): string {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'x')
    chmodSync(path, mode)
    if (ageSeconds > 0) {
      const then = Date.now() / 1000 - ageSeconds
      utimesSync(path, then, then)
    }
    return path
  }

  /** A file whose name is right for its inode. */
  message(label: string, queue: string, mode: number): void {
    const path = this.file(this.path(queue, `new-${label}`), mode)
    const microseconds = (0x12345 + this.ids.size).toString(16).toUpperCase()
    const id = microseconds + statSync(path).ino.toString(16).toUpperCase()
    mkdirSync(dirname(this.path(queue, id)), { recursive: true })
    renameSync(path, this.path(queue, id))
    this.ids.set(label, id)
  }

  fill(): void {
    this.empty()
    for (const queue of ['maildrop', 'incoming', 'active', 'deferred', 'hold']) {
      this.message(queue, queue, READY)
    }
    this.message('deferred2', 'deferred', READY)
    this.message('expired', 'hold', READY | 0o10)
    this.message('unready', 'incoming', 0o600)
    for (const log of ['defer', 'bounce', 'trace']) {
      this.file(this.path(log, this.ids.get('deferred') ?? ''), 0o600)
    }
    this.own()
  }

  /** Names, places and things that do not belong there. */
  litter(): void {
    for (const name of ['lower1234', '12345', 'ABCDEF', 'ABCDEF0123', '.hidden', 'a b']) {
      this.file(join(this.instance.queueDirectory, 'incoming', name), READY)
      this.file(join(this.instance.queueDirectory, 'bounce', name), 0o600)
    }
    // an interrupted run: half of a repair is done
    this.message('fix', 'deferred', READY)
    const id = this.ids.get('fix') ?? ''
    renameSync(this.path('deferred', id), `${this.path('deferred', id)}#FIX`)
    this.file(`${this.path('bounce', id)}#FIX`, 0o600)
    this.file(this.path('incoming', 'FFFFF1'), 0o600, EIGHT_DAYS_AGO)
    this.file(this.path('incoming', 'FFFFF2'), 0o600)
    this.file(this.path('maildrop', 'FFFFF3'), 0o644, EIGHT_DAYS_AGO)
    this.file(this.path('flush', 'site_test'), 0o600, EIGHT_DAYS_AGO)
    this.file(this.path('defer', 'FFFFF4'), 0o600, EIGHT_DAYS_AGO)
    const spool = this.instance.queueDirectory
    mkdirSync(join(spool, 'hold/alien'))
    mkdirSync(join(spool, 'hold/full'))
    this.file(join(spool, 'hold/full/x'), READY)
    mkdirSync(join(spool, 'hold/A'))
    mkdirSync(join(spool, 'active/B/C'), { recursive: true })
    symlinkSync('/etc/passwd', join(spool, 'active/ABCDE99'))
    execFileSync('mkfifo', [join(spool, 'incoming/ABCDE98')])
    this.own()
  }

  /** Copies have other inode numbers than their names say; one of them is not in its hash directory. */
  misplace(): void {
    for (const label of ['deferred', 'hold', 'maildrop']) {
      const queue = label
      const path = this.path(queue, this.ids.get(label) ?? '')
      renameSync(path, `${path}-`)
      this.file(path, READY)
      rmSync(`${path}-`)
    }
    const id = this.ids.get('deferred2') ?? ''
    renameSync(this.path('deferred', id), join(this.instance.queueDirectory, 'deferred', id))
    this.own()
  }

  empty(): void {
    this.ids.clear()
    for (const queue of QUEUES) {
      const directory = join(this.instance.queueDirectory, queue)
      for (const name of readdirSync(directory)) {
        rmSync(join(directory, name), { recursive: true, force: true })
      }
    }
  }

  own(): void {
    const uid = Number(execFileSync('id', ['-u', 'postfix'], { encoding: 'utf8' }))
    const spool = this.instance.queueDirectory
    execFileSync('chown', ['-hR', String(uid), ...QUEUES.map((queue) => join(spool, queue))])
    chownSync(spool, 0, 0)
  }

  /** Every file with its mode; good ids by their labels, whatever the inode, and others as they are. */
  tree(): string {
    const spool = this.instance.queueDirectory
    const lines: string[] = []
    const inodes = new Map<string, string>()
    for (const queue of QUEUES) {
      for (const name of readdirSync(join(spool, queue), { recursive: true, encoding: 'utf8' })) {
        const stats = lstatSync(join(spool, queue, name))
        const inode = stats.ino.toString(16).toUpperCase()
        const base = name.replace(/^.*\//, '')
        if (base.length === 5 + inode.length && base.endsWith(inode))
          inodes.set(base, `${base.slice(0, 5)}<inode>`)
        if (stats.isDirectory() && /^\w$/.test(name)) continue // hash directories depend on inodes
        lines.push(
          `${(stats.mode & 0o777).toString(8)} ${stats.isDirectory() ? 'd' : ''} ${queue}/${name}`,
        )
      }
    }
    let text = this.labelled(lines.join('\n'))
    for (const [name, shown] of inodes) text = text.replaceAll(name, shown)
    // Postfix leaves the suffix at logs in directories that it was not asked about (docs/differences.md)
    text = text.replace(/^(600 {2}(?:trace|bounce|defer)\/NEWID)#FIX$/gm, '$1')
    return text.split('\n').sort().join('\n')
  }

  labelled(text: string): string {
    let result = text
    for (const [label, id] of this.ids) result = result.replaceAll(id, `<${label}>`)
    // the first letter of an id that was made from an inode is a hash directory; new ids are nobody's
    return result
      .replace(/\b[0-9A-F]\/(?=<|[0-9A-F]{5})/g, '')
      .replace(/\b1234[0-9A-F]{6,10}(?![0-9A-F])/g, 'NEWID')
  }
}
