/**
 * unexpected-settings - says where a request's settings differ from those of tlsproxy(8) itself
 *
 * They are honoured all the same, but each distinct set costs an engine, and its files are read without root's rights. So
 * nothing is said of settings that differ in how much is logged, say, when no files are named.
 * Source: Postfix 3.7 tlsproxy(8), as it logs.
 */
import { log } from '@posthorn/log/log'
import type { AttrList } from '@posthorn/wire/attr-list'
import { defineList } from '@posthorn/wire/attr-schema'
import {
  tlsClientInit,
  tlsClientParams,
  type TlsClientInit,
  type TlsClientParams,
} from '@posthorn/wire/tlsproxy-protocol'

export interface ClientSettings {
  readonly params: TlsClientParams
  readonly init: TlsClientInit
}

const Params = defineList({ params: tlsClientParams })
const Init = defineList({ init: tlsClientInit })

export function warnAboutUnexpected(own: ClientSettings, requested: ClientSettings): void {
  const inParams = differences(Params.format(own), Params.format(requested))
  const inInit = differences(Init.format(own), Init.format(requested))
  if (inParams.length === 0 && (inInit.length === 0 || !namesFiles(requested.init))) return
  log.warning('request from tlsproxy client with unexpected settings')
  log.warning([...inParams, ...inInit].join('; '))
  log.warning(
    'to avoid this warning, 1) identify the tlsproxy client that is making this request, ' +
      '2) configure a custom tlsproxy service with settings that match that tlsproxy client, and ' +
      '3) configure that tlsproxy client with a tlsproxy_service_name setting that resolves to that custom tlsproxy service',
  )
}

function differences(own: AttrList, requested: AttrList): string[] {
  return own.flatMap(([name, value], at) => {
    const other = requested[at]?.[1] ?? ''
    return value === other ? [] : [`(server) '${name}=${value}' != (client) '${name}=${other}'`]
  })
}

function namesFiles(init: TlsClientInit): boolean {
  const { chainFiles, certFile, keyFile, dsaCertFile, dsaKeyFile, ecCertFile, ecKeyFile } = init
  const files = [chainFiles, certFile, keyFile, dsaCertFile, dsaKeyFile, ecCertFile, ecKeyFile]
  return [...files, init.caFile, init.caPath].some((file) => file !== '')
}
