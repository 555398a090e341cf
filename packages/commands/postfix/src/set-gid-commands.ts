/**
 * set-gid-commands - postdrop(1) and postqueue(1), which run with the rights of setgid_group
 *
 *   HOME/sbin/postdrop     the launcher, set-gid: an executable of its own (lib/native/setgid)
 *   HOME/bundle/postdrop   what it starts, with HOME/bin/node and the addon in HOME/libexec
 *
 * Whoever can change one of these files, or a directory on the way to one, has the group's rights: the bit is given only
 * where all of it is root's. A script (the programs as built, not installed) cannot have the bit.
 * Source: Postfix 3.7 postfix(1), postdrop(1), postqueue(1).
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { CommandError, type Instance } from './instance.ts'

/* eslint-disable n/no-sync -- a command that runs once */

const SET_GID_COMMANDS = ['postdrop', 'postqueue'] as const
const SET_GID = 0o2000
const SET_GID_MODE = 0o2755
const EXECUTABLE_BY_ALL = 0o111
const STICKY = 0o1000
const GROUP_OR_OTHER_WRITABLE = 0o022

/** What is wrong with them; nothing in a rootless instance, where everybody who may submit is the owner. */
export function setGidFindings(instance: Instance): string[] {
  const { setgidGroup, config } = instance
  if (setgidGroup === undefined) return []
  const findings: string[] = []
  for (const path of commandPaths(instance)) {
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats === undefined) {
      findings.push(`missing: ${path}`)
      continue
    }
    if (!isLauncher(path)) continue
    if (stats.gid !== setgidGroup) {
      findings.push(`not owned by group ${config.text('setgid_group')}: ${path}`)
    }
    const wanted = SET_GID | EXECUTABLE_BY_ALL
    if ((stats.mode & wanted) !== wanted) {
      findings.push(`not set-gid or not owner+group+world executable: ${path}`)
    }
    if ((stats.mode & SET_GID) === 0) continue
    const culprit = filesBehind(path)
      .map(untrustedPart)
      .find((found) => found !== undefined)
    if (culprit !== undefined)
      findings.push(`not owned by root, or group or other writable: ${culprit}`)
  }
  return findings
}

/** Said when somebody asks for a check, and not at every start: it is no fault of a system that runs from where it was built. */
export function scriptFindings(instance: Instance): string[] {
  if (instance.setgidGroup === undefined) return []
  const scripts = commandPaths(instance).filter(
    (path) => statSync(path, { throwIfNoEntry: false }) !== undefined && !isLauncher(path),
  )
  return scripts.map(
    (path) => `a script cannot be set-gid, so only root can use it (run make install): ${path}`,
  )
}

/** @throws {CommandError} somebody else than root could change what would get the group's rights */
export function giveSetGidRights(instance: Instance): void {
  const { setgidGroup } = instance
  if (setgidGroup === undefined) return
  for (const path of commandPaths(instance)) {
    if (statSync(path, { throwIfNoEntry: false }) === undefined || !isLauncher(path)) continue
    for (const file of filesBehind(path)) {
      const culprit = untrustedPart(file)
      if (culprit === undefined) continue
      throw new CommandError(
        `Cannot make ${path} set-gid: ${culprit} is not owned by root, or group or other writable`,
      )
    }
    chownSync(path, 0, setgidGroup)
    chmodSync(path, SET_GID_MODE) // last: changing the owner clears the bit
  }
}

function commandPaths(instance: Instance): string[] {
  return SET_GID_COMMANDS.map((name) => join(instance.commandDirectory, name))
}

/** Is it an ELF executable. */
function isLauncher(path: string): boolean {
  const fd = openSync(path, 'r')
  try {
    const head = Buffer.alloc(4)
    readSync(fd, head, 0, 4, 0)
    return head.toString('latin1') === '\x7fELF'
  } finally {
    closeSync(fd)
  }
}

/** Postfix's own programs, which may stand there as well, have nothing behind them. */
function filesBehind(launcher: string): string[] {
  const path = realpathSync(launcher)
  const home = dirname(dirname(path))
  const name = path.slice(dirname(path).length + 1)
  const behind = [`bundle/${name}`, 'bin/node', 'libexec/posthorn-native.node'].map((file) =>
    join(home, file),
  )
  return [path, ...behind.filter((file) => statSync(file, { throwIfNoEntry: false }) !== undefined)]
}

/** The file or the directory above it that is not root's alone. In a sticky directory nobody can replace what is root's. */
function untrustedPart(path: string): string | undefined {
  for (let at = realpathSync(path); ; at = dirname(at)) {
    const { uid, mode } = lstatSync(at)
    const isOpen = (mode & GROUP_OR_OTHER_WRITABLE) !== 0 && (mode & STICKY) === 0
    if (uid !== 0 || isOpen) return at
    if (at === '/') return undefined
  }
}
