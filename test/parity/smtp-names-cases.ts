/**
 * smtp-names-cases - what is made of names and of what the name server says, for smtp.test
 */
import type { Scenario } from './smtp-scenario.ts'

const good = {}
const busy = { replies: { greeting: '421 4.3.2 busy' } }

export const names: Record<string, Scenario> = {
  'one MX': {
    names: { $d: { MX: [[10, 'mx.$d']] }, 'mx.$d': { A: ['$1'] } },
    servers: { $1: good },
    nexthop: '$d',
  },
  'no MX, an address': { names: { $d: { A: ['$1'] } }, servers: { $1: good }, nexthop: '$d' },
  'no MX, an IPv6 address': {
    names: { $d: { AAAA: ['::1'] } },
    servers: { '::1': { address: '::1' } },
    nexthop: '$d',
  },
  NXDOMAIN: { nexthop: 'no.$d' },
  'a name without data': { names: { $d: { TXT: ['x'] } }, nexthop: '$d' },
  SERVFAIL: { names: { $d: 'servfail' }, nexthop: '$d' },
  refused: { names: { $d: 'refused' }, nexthop: '$d' },
  'no reply': { names: { $d: 'timeout' }, nexthop: '$d' },
  'format error': { names: { $d: 'formerr' }, nexthop: '$d' },
  'not implemented': { names: { $d: 'notimp' }, nexthop: '$d' },
  'no DNS packet': { names: { $d: 'garbage' }, nexthop: '$d' },
  'malformed MX host': {
    names: {
      $d: {
        MX: [
          [10, 'bad_-.$d'],
          [20, '-bad.$d'],
          [30, 'mx.$d'],
        ],
      },
      'mx.$d': { A: ['$1'] },
    },
    servers: { $1: good },
    nexthop: '$d',
  },
  'malformed MX hosts only': {
    names: {
      $d: {
        MX: [
          [10, '-bad.$d'],
          [30, 'a b.$d'],
        ],
      },
    },
    nexthop: '$d',
  },
  'malformed CNAME': {
    names: { $d: { CNAME: '-bad.$d' } },
    nexthop: '$d',
  },
  'SERVFAIL, ignored': {
    names: { $d: 'servfail' },
    nexthop: '$d',
    settings: { ignore_mx_lookup_error: 'yes' },
  },
  'null MX': { names: { $d: { MX: [[0, '.']] } }, nexthop: '$d' },
  'null MX among others': {
    names: {
      $d: {
        MX: [
          [0, '.'],
          [10, 'mx.$d'],
        ],
      },
      'mx.$d': { A: ['$1'] },
    },
    servers: { $1: good },
    nexthop: '$d',
  },
  'CNAME to MX': {
    names: {
      $d: { CNAME: 'real.$d' },
      'real.$d': { MX: [[10, 'mx.$d']] },
      'mx.$d': { A: ['$1'] },
    },
    servers: { $1: good },
    nexthop: '$d',
  },
  'MX to CNAME': {
    names: {
      $d: { MX: [[10, 'alias.$d']] },
      'alias.$d': { CNAME: 'mx.$d' },
      'mx.$d': { A: ['$1'] },
    },
    servers: { $1: good },
    nexthop: '$d',
  },
  'MX to CNAME, its name used': {
    names: {
      $d: { MX: [[10, 'alias.$d']] },
      'alias.$d': { CNAME: 'mx.$d' },
      'mx.$d': { A: ['$1'] },
    },
    servers: { $1: good },
    nexthop: '$d',
    settings: { smtp_cname_overrides_servername: 'yes' },
  },
  'MX to an address literal': {
    names: { $d: { MX: [[10, '$1']] } },
    servers: { $1: good },
    nexthop: '$d',
  },
  'MX host does not exist': { names: { $d: { MX: [[10, 'mx.no.$d']] } }, nexthop: '$d' },
  'MX host does not exist, deferred': {
    names: { $d: { MX: [[10, 'mx.no.$d']] } },
    nexthop: '$d',
    settings: { smtp_defer_if_no_mx_address_found: 'yes' },
  },
  'MX host SERVFAIL': {
    names: { $d: { MX: [[10, 'mx.$d']] }, 'mx.$d': 'servfail' },
    nexthop: '$d',
  },
  'MX hosts: one SERVFAIL, one does not exist': {
    names: {
      $d: {
        MX: [
          [10, 'mx.$d'],
          [20, 'mx.no.$d'],
        ],
      },
      'mx.$d': 'servfail',
    },
    nexthop: '$d',
  },
  'MX hosts: one does not exist, one SERVFAIL': {
    names: {
      $d: {
        MX: [
          [10, 'mx.no.$d'],
          [20, 'mx.$d'],
        ],
      },
      'mx.$d': 'servfail',
    },
    nexthop: '$d',
  },
  'MX hosts: the first does not exist': {
    names: {
      $d: {
        MX: [
          [10, 'mx.no.$d'],
          [20, 'mx.$d'],
        ],
      },
      'mx.$d': { A: ['$1'] },
    },
    servers: { $1: good },
    nexthop: '$d',
  },
  'brackets: no MX lookup': {
    names: { $d: { MX: [[10, 'mx.$d']], A: ['$1'] }, 'mx.$d': { A: ['$2'] } },
    servers: { $1: good, $2: good },
    nexthop: '[$d]',
  },
  'brackets: does not exist': { nexthop: '[no.$d]' },
  'brackets, with a port': { servers: { $1: { address: '$1', port: 26 } }, nexthop: '[$1]:26' },
  'a port': {
    names: { $d: { MX: [[10, 'mx.$d']] }, 'mx.$d': { A: ['$1'] } },
    servers: { $1: { address: '$1', port: 26 } },
    nexthop: '$d:26',
  },
  'a service name': { servers: { $1: { address: '$1', port: 587 } }, nexthop: '[$1]:submission' },
  'smtps, by its port': { servers: { $1: { address: '$1', port: 465 } }, nexthop: '[$1]:465' },
  'IPv6 literal': { servers: { '::1': { address: '::1', port: 27 } }, nexthop: '[IPv6:::1]:27' },
  'IPv6 literal without prefix': {
    servers: { '::1': { address: '::1', port: 28 } },
    nexthop: '[::1]:28',
  },
  'address without brackets': { servers: { $1: good }, nexthop: '$1' },
  'native lookup': { servers: {}, nexthop: '[no.$d]', settings: { smtp_host_lookup: 'native' } },
  'native lookup after DNS': {
    nexthop: '[no.$d]',
    settings: { smtp_host_lookup: 'dns, native' },
  },
  'DNS disabled': { nexthop: 'no.$d', settings: { smtp_dns_support_level: 'disabled' } },
  'only IPv4 wanted': {
    names: { $d: { AAAA: ['::1'] } },
    nexthop: '$d',
    settings: { inet_protocols: 'ipv4' },
  },
  'reply filter: one MX': {
    names: {
      $d: {
        MX: [
          [10, 'mx1.$d'],
          [20, 'mx2.$d'],
        ],
      },
      'mx1.$d': { A: ['$1'] },
      'mx2.$d': { A: ['$2'] },
    },
    servers: { $1: good, $2: good },
    nexthop: '$d',
    settings: { smtp_dns_reply_filter: 'regexp:{{/^\\S+ 300 IN MX 10 mx1\\.\\S+\\.$$/ IGNORE}}' },
  },
  'reply filter: all MX': {
    names: { $d: { MX: [[10, 'mx1.$d']] }, 'mx1.$d': { A: ['$1'] } },
    servers: { $1: good },
    nexthop: '$d',
    settings: { smtp_dns_reply_filter: 'regexp:{{/ IN MX / ignore}}' },
  },
  'reply filter: all addresses': {
    names: { $d: { MX: [[10, 'mx1.$d']] }, 'mx1.$d': { A: ['$1'], AAAA: ['::1'] } },
    servers: { $1: good },
    nexthop: '$d',
    settings: { smtp_dns_reply_filter: 'regexp:{{/ IN A/ IGNORE}}' },
  },
  'reply filter: addresses of one family': {
    names: { $d: { A: ['$1'], AAAA: ['2001:db8::1'] } },
    servers: { $1: good },
    nexthop: '$d',
    settings: { smtp_dns_reply_filter: 'regexp:{{/ IN AAAA 2001:db8::1$$/ IGNORE}}' },
  },
  'reply filter: nonsense': {
    names: { $d: { A: ['$1'] } },
    servers: { $1: good },
    nexthop: '$d',
    settings: { smtp_dns_reply_filter: 'regexp:{{/./ OFTEN}}' },
  },
  'reply filter: fails': {
    names: { $d: { A: ['$1'] } },
    servers: { $1: good },
    nexthop: '$d',
    settings: { smtp_dns_reply_filter: 'fail:broken' },
  },
  'search list: not by itself': {
    names: { 'hostx.search.test': { A: ['$1'] } },
    servers: { $1: good },
    nexthop: '[hostx]',
  },
  'search list': {
    names: { 'x.$d.search.test': { A: ['$1'] } },
    servers: { $1: good },
    nexthop: '[x.$d]',
    settings: { smtp_dns_resolver_options: 'res_dnsrch' },
  },
  'default domain': {
    names: { 'hosty.search.test': { A: ['$1'] } },
    servers: { $1: good },
    nexthop: '[hosty]',
    settings: { smtp_dns_resolver_options: 'res_defnames' },
  },
  'CNAME loop': { names: { $d: { CNAME: 'b.$d' }, 'b.$d': { CNAME: '$d' } }, nexthop: '$d' },
  'a name that is no name': { nexthop: '-bad-.$d', isAlone: true },
  'list of next-hops': { servers: { $1: busy, $2: good }, nexthop: '[$1], [$2]' },
  'internationalized domain': {
    names: { 'xn--bcher-kva.$d': { A: ['$1'] } },
    servers: { $1: good },
    nexthop: 'b\xc3\xbccher.$d',
  },
}
