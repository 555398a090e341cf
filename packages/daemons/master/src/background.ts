/**
 * background - how master leaves the terminal, and how a caller with -w learns that it is ready
 *
 * Node cannot fork. With -w this process starts itself once more, as leader of a session of its own, and waits up to 100
 * seconds for one octet on a pipe; the second process is the master. Source: Postfix 3.7 master(8), -w.
 */
/* eslint-disable n/no-sync -- at start, before anything else runs */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, readdirSync, writeSync } from 'node:fs'
import { ConfigError } from '@posthorn/config/config-error'
import { startSession } from '@posthorn/native/user'
import { errorReason } from '@posthorn/native/system-error'
import type { MasterOptions } from './master-options.ts'

const READY_DESCRIPTOR = 3
const READY_VARIABLE = 'POSTHORN_MASTER_READY'
const PATIENCE_MS = 100_000
const O_CLOEXEC = 0o2000000

/** Runs the real master in the background. True: it is ready. */
export async function startInBackground(): Promise<boolean> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    env: { ...process.env, [READY_VARIABLE]: String(READY_DESCRIPTOR) },
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  })
  const isReady = await new Promise<boolean>((resolve) => {
    const ready = child.stdio[READY_DESCRIPTOR]
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      resolve(false)
    }, PATIENCE_MS)
    const decide = (answer: boolean): void => {
      clearTimeout(timer)
      resolve(answer)
    }
    ready?.once('data', () => {
      decide(true)
    })
    child.once('exit', () => {
      decide(false)
    })
    child.once('error', () => {
      decide(false)
    })
  })
  child.stdio[READY_DESCRIPTOR]?.destroy()
  child.unref()
  return isReady
}

/** Closes what the caller left open, and gives away terminal and standard descriptors as the options say. */
export function detach(options: MasterOptions): void {
  closeInherited()
  if (options.staysAttached) return
  for (const fd of [0, 1, 2]) if (fd !== 1 || !options.keepsOutput) reopenAsNull(fd)
  if (!options.isInit) leadSession()
}

/** Descriptors without close-on-exec are not ours, and every child would inherit them. */
function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    if (fd <= 2 || fd === readyDescriptor()) continue
    const flags = fileFlags(fd)
    if (flags !== undefined && (flags & O_CLOEXEC) === 0) closeSync(fd)
  }
}

function fileFlags(fd: number): number | undefined {
  try {
    const found = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
    return Number.parseInt(found?.[1] ?? '', 8)
  } catch {
    return undefined // it was the descriptor that listed the directory
  }
}

/** The lowest free number is taken: the one just closed. */
function reopenAsNull(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // it was not open
  }
  openSync('/dev/null', 'r+')
}

/** A group of its own is what master and its children are ended by. */
function leadSession(): void {
  try {
    startSession()
  } catch (error) {
    if (sessionId() !== process.pid) {
      throw new ConfigError(`unable to set session and process group ID: ${errorReason(error)}`, {
        cause: error,
      })
    }
  }
}

/** Sixth field of stat, counted behind the command, which may hold blanks: proc(5). */
function sessionId(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
}

/** This process is the one that startInBackground() started: somebody waits for it already. */
export function isInBackground(): boolean {
  return readyDescriptor() !== undefined
}

function readyDescriptor(): number | undefined {
  const text = process.env[READY_VARIABLE]
  return text === undefined ? undefined : Number(text)
}

/** Tells the process that waits, if one does. */
export function tellReady(): void {
  const fd = readyDescriptor()
  if (fd === undefined) return
  Reflect.deleteProperty(process.env, READY_VARIABLE)
  try {
    writeSync(fd, '\0')
  } catch {
    // it has stopped waiting
  }
  closeSync(fd)
}
