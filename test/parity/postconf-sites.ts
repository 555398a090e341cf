/**
 * postconf-sites - configurations that postconf(1) of both systems is asked about
 */

export interface ConfigurationFiles {
  readonly main: string
  readonly master: string
}

/** Every form of `$name`, every kind of name, and lines as people leave them. */
export const CROOKED_SITE: ConfigurationFiles = {
  main: `  stray continuation at the top of the file, longer than thirty octets
  and more of it
# comment
compatibility_level = 2
mydomain = example.com
myhostname = mx.$mydomain
then = \${myhostname?{yes}:{no}}
else = \${undefined?{yes}:{no}}
short_then = \${myhostname?yes:no}
short_else = \${empty:none?x}
spaced = \${empty:{ spaced }}
loose = \${myhostname ? {a b} : c d }
parentheses = $(mydomain) $(empty:none)
dollars = a$$b $$$$c
equal = \${{$mydomain}=={example.com}?{same}:{other}}
less = \${{10}<{9}?{text}:{number}}
relation = \${{a}>={b}}\${{1}<={1}}
level = \${ {3.10} >=level {3.9} ? {newer} : {older} }
own_level = \${{$compatibility_level} <level {1} ? {yes} : {no}}
nested = \${then?{\${else?{x}:{\${short_then}}}}:{z}}
smtpd_banner = $then $else $short_then $short_else $spaced $loose $parentheses $dollars $equal $less
smtpd_helo_restrictions = $relation $level $own_level $nested
mydestination = a,
# comment between

   \t
\tb
\tc   ,   d\x20\x20
 # indented comment
  e\tf
relayhost =
empty =
crlf = value with cr\r
cr_continued = one\r
  two
mynetworks = 127.0.0.0/8, 10.0.0.0/8, 192.168.0.0/16, 172.16.0.0/12, [::1]/128, [fe80::]/64, [2001:db8:1::]/48
twice = 1
twice = 2
twice = 2
myorigin = $twice
unused = 1
unused_too = $nosuch
smtp_destination_concurrency_limit = 7
slow_destination_rate_delay = 1s
gone_destination_rate_delay = 1s
slow_time_limit = 5
piped_time_limit = 6m
smtpd_restriction_classes = gold, silver
gold = permit_mynetworks, $gold_detail
gold_detail = reject
silver = check_client_access hash:/x
smtpd_recipient_restrictions = gold check_sender_access mysql:sql1, reject
transport_maps = pipemap:{mysql:sql2, inline:{a=b}} {ldap:sql3 {x}
sql1_hosts = a b
sql1_nosuch = c
sql2_hosts = a
sql3_bind = no
virtual_maps = hash:/v
fallback_relay = [x]
process_id = 7
smtp_helo_timeout = 5m30
luser_relay = $user@$undefined_in_raw
default_rbl_reply = $rbl_code $other
config_directory = /else/where
syslog_name = \${multi_instance_name?{$multi_instance_name}:{postfix}}
caf\xc3\xa9 = cr\xc3\xa8me
long = ${'a'.repeat(100)} b
local_header_rewrite_clients = $long
last = $caf\xc3\xa9`,
  master: `# comment
smtp      inet  n       -       n       -       -       smtpd
 \t-o smtpd_banner=$mine
# between
  -o mine=1 -omine2=2
 -o { smtpd_client_restrictions = permit_mynetworks,   reject }
  -v -vo other=3
  -o {syslog_name=a}
  -o { undefined_here = $undefined2 }
smtp      unix  -       -       n       -       -       smtp
smtp      unix  -       -       n       -       -       smtp -o smtp_helo_name=dup
slow  unix - - y 5? 10 smtp
   -o syslog_name=postfix/$service_name -o x=$process_name
piped unix - n n - - pipe
  flags=DRhu user=vmail argv=/usr/bin/x -f \${sender} -- { a  b } {c} "q r" -o late=1
spawny unix - n n - 0 spawn user=nobody {argv = /bin/x y} {z  z}
127.0.0.1:2525 inet n - - 0 - smtpd
[::1]:smtp inet n - n - 1 smtpd -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes
postlog unix-dgram n - n - 1 postlogd
old fifo n - n 60 1 pickup
passed pass - - n - - smtpd
failing unix - - n - - error some text
discard unix - - n - - discard
virtual unix - n n - - virtual -o myuser=$undefined3
local unix - n n - - local
lmtp unix - - n - - lmtp -t pass -n x -o behind_an_operand=1
`,
}

/** Defaults and safety nets at another compatibility level. */
export function siteAtLevel(level: string): ConfigurationFiles {
  return {
    main: `compatibility_level = ${level}\nmyhostname = mx.example.com\n`,
    master: 'smtp unix - - - - - smtp\n',
  }
}
