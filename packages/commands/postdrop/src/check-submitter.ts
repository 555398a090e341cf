/**
 * check-submitter - may this user submit mail
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { fatal } from '@posthorn/log/log'
import { findUserById } from '@posthorn/native/user'

export async function checkSubmitter(config: MainConfig, uid: number): Promise<void> {
  const name = findUserById(uid)?.name ?? 'unknown'
  for (const pattern of config.list('authorized_submit_users')) {
    if (pattern === 'static:anyone' || pattern === name) return Promise.resolve()
  }
  fatal(`User ${name}(${uid}) is not allowed to submit mail`)
}
