/**
 * policy-settings - reads the access lists and tables of main.cf, once per process
 *
 * Lists become arrays of functions here, so that serving a command costs no parsing. Unknown restrictions,
 * and a configuration that would make an open relay, end the process before it serves anybody.
 * Source: Postfix 3.7 postconf(5).
 */
import { ConfigError } from '@posthorn/config/config-error'
import { Resolver } from '@posthorn/dns/resolver'
import type { MainConfig } from '@posthorn/config/main-config'
import type { AddressList, DomainList, StringList } from '@posthorn/tables/match-list'
import type { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import type { BareNewlineMode, SmtpdSettings } from '../smtpd-settings.ts'
import { ReplyTemplate } from '../reply-template.ts'
import { verificationChecks, verificationSettings } from './address-verification.ts'
import { destinationChecks } from './destination-checks.ts'
import { DomainFinder } from './domain-finder.ts'
import { loginChecks } from './login-checks.ts'
import { mxBackupCheck } from './mx-backup-check.ts'
import { nameChecks } from './name-checks.ts'
import { RestrictionCompiler, type ListName } from './restriction-compiler.ts'
import type { Check } from './restriction.ts'
import type { SmtpdTables } from './smtpd-tables.ts'
import { unlistedChecks, type UnlistedSettings } from './unlisted-checks.ts'

export interface PolicySettings {
  readonly rewriter: RewriteClient
  readonly lists: Readonly<Record<ListName, readonly Check[]>>
  readonly unlisted: UnlistedSettings
  readonly isDelayReject: boolean
  readonly isRelayFirst: boolean
  readonly isUnlistedRefused: boolean
  readonly isUnlistedSenderRefused: boolean
  readonly messageSizeLimit: number
  readonly queueMinFree: number
  readonly bareNewline: BareNewlineMode
  readonly bareNewlineExclusions: AddressList
  readonly forbiddenCommands: StringList
  readonly noopCommands: StringList
  readonly flushDomains: DomainList
}

const LISTS = {
  client: 'smtpd_client_restrictions',
  helo: 'smtpd_helo_restrictions',
  sender: 'smtpd_sender_restrictions',
  relay: 'smtpd_relay_restrictions',
  recipient: 'smtpd_recipient_restrictions',
  data: 'smtpd_data_restrictions',
  endOfData: 'smtpd_end_of_data_restrictions',
  etrn: 'smtpd_etrn_restrictions',
  localRewrite: 'local_header_rewrite_clients',
} as const satisfies Record<ListName, string>

/** One of these must be there: without it, anybody could send mail anywhere through this host. */
const RELAY_GUARDS = new Set([
  ...['reject_unauth_destination', 'defer_unauth_destination', 'reject', 'defer'],
  ...['defer_if_permit', 'check_relay_domains'],
])

function checkRelayGuard(config: MainConfig): void {
  const words = [...config.list(LISTS.relay), ...config.list(LISTS.recipient)]
  if (words.some((word) => RELAY_GUARDS.has(word))) return
  throw new ConfigError(
    'in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working ' +
      'instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or ' +
      'check_relay_domains',
  )
}

function unlistedSettings(
  config: MainConfig,
  rewriter: RewriteClient,
  tables: SmtpdTables,
): UnlistedSettings {
  const rewriting = ['recipient_canonical_maps', 'canonical_maps', 'virtual_alias_maps'] as const
  return {
    rewriter,
    rewritingMaps: rewriting.map((name) => tables.openMap(name)),
    localRecipients: tables.openMap('local_recipient_maps'),
    virtualMailboxes: tables.openMap('virtual_mailbox_maps'),
    relayRecipients: tables.openMap('relay_recipient_maps'),
    codes: {
      local: config.integer('unknown_local_recipient_reject_code'),
      virtualAlias: config.integer('unknown_virtual_alias_reject_code'),
      virtualMailbox: config.integer('unknown_virtual_mailbox_reject_code'),
      relay: config.integer('unknown_relay_recipient_reject_code'),
    },
    isTableShown: config.boolean('show_user_unknown_table_name'),
    doubleBounceSender: config.text('double_bounce_sender'),
  }
}

function makeCompiler(
  config: MainConfig,
  settings: SmtpdSettings,
  rewriter: RewriteClient,
  tables: SmtpdTables,
  unlisted: UnlistedSettings,
): RestrictionCompiler {
  const resolver = Resolver.fromConfig({ nameservers: config.text('dns_nameservers') })
  const names = {
    rewriter,
    domains: new DomainFinder(resolver),
    ownAddresses: tables.ownAddresses,
    codes: {
      invalidHostname: config.integer('invalid_hostname_reject_code'),
      nonFqdn: config.integer('non_fqdn_reject_code'),
      unknownClient: config.integer('unknown_client_reject_code'),
      unknownHostname: config.integer('unknown_hostname_reject_code'),
      unknownAddress: config.integer('unknown_address_reject_code'),
      multiRecipientBounce: config.integer('multi_recipient_bounce_reject_code'),
      plaintext: config.integer('plaintext_reject_code'),
    },
    addressTempfail: config.keyword('unknown_address_tempfail_action'),
    heloTempfail: config.keyword('unknown_helo_hostname_tempfail_action'),
  }
  const destination = {
    rewriter,
    myNetworks: tables.myNetworks,
    relayRejectCode: config.integer('relay_domains_reject_code'),
  }
  const deferCode = config.integer('access_map_defer_code')
  const rejectCode = config.integer('access_map_reject_code')
  return new RestrictionCompiler({
    config,
    openTable: (name) => tables.openTable(name),
    access: {
      rejectCode,
      deferCode,
      extensions: tables.extensions,
      isDotted: !config.list('parent_domain_matches_subdomains').includes('smtpd_access_maps'),
      nullKey: config.text('smtpd_null_access_lookup_key'),
    },
    codes: { reject: config.integer('reject_code'), defer: config.integer('defer_code') },
    blocklists: {
      resolver,
      rewriter,
      rejectCode: config.integer('maps_rbl_reject_code'),
      defaultReply: config.text('default_rbl_reply'),
      replies: tables.blocklistReplies,
      template: new ReplyTemplate(config),
    },
    servers: { resolver, hasIpv6: settings.hasIpv6 },
    simple: new Map([
      ...destinationChecks(destination),
      ...nameChecks(names),
      ...unlistedChecks(unlisted),
      ...loginChecks(),
      ...verificationChecks(verificationSettings(config, rewriter)),
      mxBackupCheck({
        rewriter,
        resolver,
        ownAddresses: tables.reachableAddresses,
        networks: tables.mxBackupNetworks,
        hasIpv6: settings.hasIpv6,
      }),
    ]),
  })
}

/** @throws {ConfigError} a list or table is not usable, or nothing guards against relaying */
export function readPolicySettings(
  config: MainConfig,
  settings: SmtpdSettings,
  rewriter: RewriteClient,
  tables: SmtpdTables,
): PolicySettings {
  checkRelayGuard(config)
  const unlisted = unlistedSettings(config, rewriter, tables)
  const compiler = makeCompiler(config, settings, rewriter, tables, unlisted)
  const compile = (list: ListName): readonly Check[] =>
    compiler.compile(config.list(LISTS[list]), list)
  const mayRefuseUnlisted = !config
    .flags('receive_override_options')
    .has('no_unknown_recipient_checks')
  return {
    rewriter,
    lists: {
      client: compile('client'),
      helo: compile('helo'),
      sender: compile('sender'),
      relay: compile('relay'),
      recipient: compile('recipient'),
      data: compile('data'),
      endOfData: compile('endOfData'),
      etrn: compile('etrn'),
      localRewrite: compile('localRewrite'),
    },
    unlisted,
    isDelayReject: settings.isDelayReject,
    isRelayFirst: config.boolean('smtpd_relay_before_recipient_restrictions'),
    isUnlistedRefused: mayRefuseUnlisted && config.boolean('smtpd_reject_unlisted_recipient'),
    isUnlistedSenderRefused: config.boolean('smtpd_reject_unlisted_sender'),
    messageSizeLimit: settings.messageSizeLimit,
    queueMinFree: settings.queueMinFree,
    bareNewline: settings.bareNewline,
    bareNewlineExclusions: tables.bareNewlineExclusions,
    forbiddenCommands: tables.forbiddenCommands,
    noopCommands: tables.noopCommands,
    flushDomains: tables.flushDomains,
  }
}
