/**
 * health-check - the warnings of `postfix check`: owners and modes that would let others in, stale copies, damaged mail
 *
 * Changes nothing, and never fails the command. A rootless instance is checked for modes only, since all
 * its files have one owner.
 */
import { lstatSync, readdirSync, readFileSync, statSync, type Stats } from 'node:fs'
import { log } from '@posthorn/log/log'
import { QUEUE_DIRECTORIES } from './file-layout.ts'
import type { Instance } from './instance.ts'
import { scriptFindings, setGidFindings } from './set-gid-commands.ts'

/* eslint-disable n/no-sync -- a command that runs once */

const GROUP_OR_OTHER_WRITABLE = 0o022

function entriesBelow(directory: string): string[] {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (!found?.isDirectory()) return []
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return [`${directory}/.`, ...names.map((name) => `${directory}/./${name}`)]
}

function isMessageTransport(stats: Stats): boolean {
  return stats.isSocket() || stats.isFIFO()
}

function warnAbout(instance: Instance, path: string, uid: number, ownerName: string): void {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined || isMessageTransport(stats)) return
  if (!instance.isRootless && stats.uid !== uid) log.warning(`not owned by ${ownerName}: ${path}`)
}

function warnWritable(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (
    stats !== undefined &&
    (stats.mode & GROUP_OR_OTHER_WRITABLE) !== 0 &&
    !stats.isSymbolicLink()
  ) {
    log.warning(`group or other writable: ${path}`)
  }
}

/** Logs one warning for each finding. */
export function checkHealth(instance: Instance): void {
  const { config, queueDirectory: queue } = instance
  const ownerName = config.text('mail_owner')
  for (const path of [`${queue}/.`, `${queue}/pid`]) {
    warnAbout(instance, path, 0, 'root')
    warnWritable(path)
  }
  for (const path of entriesBelow(instance.configDirectory)) {
    warnAbout(instance, path, 0, 'root')
    warnWritable(path)
  }
  for (const path of entriesBelow(config.text('data_directory'))) {
    warnAbout(instance, path, instance.owner.uid, ownerName)
    warnWritable(path)
  }
  for (const name of [...QUEUE_DIRECTORIES, 'private', 'public']) {
    for (const path of entriesBelow(`${queue}/${name}`).map(plain)) {
      warnAbout(instance, path, instance.owner.uid, ownerName)
    }
  }
  warnAbout(instance, `${queue}/maildrop`, instance.owner.uid, ownerName)
  if (instance.setgidGroup !== undefined) {
    for (const name of ['public', 'maildrop']) {
      const stats = statSync(`${queue}/${name}`, { throwIfNoEntry: false })
      if (stats !== undefined && stats.gid !== instance.setgidGroup) {
        log.warning(`not owned by group ${config.text('setgid_group')}: ${queue}/${name}`)
      }
    }
  }
  for (const finding of setGidFindings(instance)) log.warning(finding)
  for (const name of jailFiles(queue)) {
    if (differs(`${queue}/${name}`, `/${name}`)) {
      log.warning(`${queue}/${name} and /${name} differ`)
    }
  }
  for (const path of filesBelow(`${queue}/corrupt`)) log.warning(`damaged message: corrupt/${path}`)
}

/** `postfix check` says this, and `postfix start` does not. */
export function checkScripts(instance: Instance): void {
  for (const finding of scriptFindings(instance)) log.warning(finding)
}

function plain(path: string): string {
  return path.replace(/\/\.(?=\/|$)/, '')
}

/** Copies of system files for programs that run chrooted. */
function jailFiles(queue: string): string[] {
  return ['etc', 'lib', 'usr'].flatMap((top) =>
    filesBelow(`${queue}/${top}`).map((name) => `${top}/${name}`),
  )
}

function filesBelow(directory: string): string[] {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return []
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => lstatSync(`${directory}/${name}`).isFile())
}

function differs(copy: string, original: string): boolean {
  if (statSync(original, { throwIfNoEntry: false })?.isFile() !== true) return false
  return !readFileSync(copy).equals(readFileSync(original))
}
