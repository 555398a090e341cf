/** open-maps - opens the tables that main.cf names */
import type { ServiceContext } from '@posthorn/daemon/run-service'
import type { CleanupMaps } from './cleanup-maps.ts'

export async function openMaps(_service: ServiceContext): Promise<CleanupMaps> {
  return Promise.resolve({})
}
