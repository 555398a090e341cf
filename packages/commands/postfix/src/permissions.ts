/**
 * permissions - creates missing directories and sets owners and modes as file-layout says
 *
 * Only the directories themselves are touched, never a queue file: a message's mode is its state. Of the programs, those
 * that are set-gid.
 */
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs'
import { requiredDirectories, type DirectoryRule } from './file-layout.ts'
import type { Instance } from './instance.ts'
import { giveSetGidRights } from './set-gid-commands.ts'

/* eslint-disable n/no-sync -- a command that runs once */

function apply(instance: Instance, rule: DirectoryRule): void {
  if (!instance.isRootless) {
    const uid = rule.owner === 'root' ? 0 : instance.owner.uid
    const inherited = rule.owner === 'root' ? 0 : instance.owner.gid
    const gid = rule.group === undefined ? inherited : (instance.setgidGroup ?? inherited)
    chownSync(rule.path, uid, gid)
  }
  chmodSync(rule.path, rule.mode)
}

/** Creates every required directory that does not exist. Those that exist keep owner and mode. */
export function createMissing(instance: Instance): void {
  for (const rule of requiredDirectories(instance.config)) {
    if (statSync(rule.path, { throwIfNoEntry: false }) !== undefined) continue
    mkdirSync(rule.path, { recursive: true })
    apply(instance, rule)
  }
}

/**
 * `postfix set-permissions`: creates what is missing, and repairs owner and mode of the rest.
 * @throws {CommandError} as giveSetGidRights()
 */
export function setPermissions(instance: Instance): void {
  createMissing(instance)
  for (const rule of requiredDirectories(instance.config)) apply(instance, rule)
  giveSetGidRights(instance)
}
