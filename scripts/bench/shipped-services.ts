/**
 * shipped-services - master.cf as each system ships it, for rows that are about its limits
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, type System } from '../instance.ts'
import { servicesOf } from './bench-site.ts'

const SHIPPED: Readonly<Record<System, readonly string[]>> = {
  postfix: ['/usr/share/postfix/master.cf.dist', '/etc/postfix/master.cf'],
  posthorn: [join(ROOT, 'conf/master.cf')],
}

/**
 * The services of the shipped file as they are, but for the column that confines a service to the queue directory:
 * that would need a tree of copied files there, and has no bearing on limits. The inet services stay away; the
 * instance has one on a port of its own, with the columns that both files have.
 */
export async function shippedServices(system: System): Promise<string[]> {
  const path = SHIPPED[system].find((name) => existsSync(name))
  if (path === undefined) throw new Error(`Cannot find the master.cf that ${system} ships`)
  const services = (await servicesOf(path)).filter((line) => line.split(/\s+/)[1] !== 'inet')
  return services.map((line) => line.replace(/^(\S+\s+\S+\s+\S+\s+\S+\s+)\S+/, '$1n'))
}
