/** Rules as text for nft. Pure: whatever stands in a plan was checked. */
import type { Address, Destination, Plan } from './plan.ts'

/** Makes an end of the table whether it is there or not: deleting what is not there would fail. */
export const undoOf = (table: string): string => `table inet ${table}\ndelete table inet ${table}\n`

/** One transaction: no packet meets half of it. `generation` is left out where this nft knows no comments of tables. */
export function rulesOf(table: string, plan: Plan, { isGenerationIn }: { isGenerationIn: boolean }): string {
  const lines = [
    ...(isGenerationIn ? [`comment "generation ${plan.generation}"`] : []),
    ...chain('input', inputOf(plan)),
    ...chain('output', outputOf(plan)),
    // What this host passes on for others: containers, and machines behind it.
    ...chain('forward', [cut]),
  ]
  return `${undoOf(table)}table inet ${table} {\n${lines.map((line) => `\t${line}\n`).join('')}}\n`
}

/** Behind connection tracking and the translation of destinations, so that addresses are the true ones. */
const chain = (hook: string, rules: readonly string[]): string[] => [
  `chain ${hook} {`,
  `\ttype filter hook ${hook} priority 10; policy drop;`,
  ...rules.map((rule) => `\t${rule}`),
  '}',
]

/** Only dropping lets connections stall in silence. Whoever opens one from outside is told nothing. */
const cut = 'tcp flags & (syn|rst) == 0 reject with tcp reset'

/**
 * Of a connection that was opened here. Not by connection tracking, which takes those that are older than the table for new.
 */
const isAnswer = 'tcp flags & (syn|ack) != syn'
const isTracked = 'ct state established,related'

function inputOf({ server, destinations, owners }: Plan): string[] {
  return [
    'iifname "lo" accept',
    ...server.addresses.map((from) => `${source(from)} tcp sport ${server.port} ${isAnswer} accept`),
    // To keep its address, and its neighbours.
    'meta nfproto ipv4 udp sport 67 udp dport 68 accept',
    'meta nfproto ipv6 udp sport 547 udp dport 546 accept',
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, mld-listener-query } accept',
    // Or the server's own connection would stall behind a narrow link.
    'icmp type destination-unreachable icmp code frag-needed accept',
    'icmpv6 type packet-too-big accept',
    ...destinations.flatMap(answersOf),
    ...owners.map((uid) => `ct mark ${markOf(uid)} ${isTracked} accept`),
    cut,
  ]
}

function outputOf({ server, destinations, owners }: Plan): string[] {
  return [
    // The resets that these rules send themselves; as long as one without data is.
    'tcp flags & rst == rst meta length <= 60 accept',
    'oifname "lo" accept',
    ...server.addresses.map((to) => `${target(to)} tcp dport ${server.port} accept`),
    'meta nfproto ipv4 udp sport 68 udp dport 67 accept',
    'meta nfproto ipv6 udp sport 546 udp dport 547 accept',
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept',
    'icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } accept',
    ...destinations.map(({ address, ports }) => `${target(address)}${portsOf('dport', ports)} accept`),
    ...owners.flatMap((uid) => [
      `meta skuid ${uid} ct mark set ${markOf(uid)} accept`,
      // What the kernel sends once the process has closed its end has no owner any more.
      `ct mark ${markOf(uid)} ${isTracked} accept`,
    ]),
    'meta l4proto tcp reject with tcp reset',
  ]
}

function answersOf({ address, ports }: Destination): string[] {
  const from = source(address)
  if (ports?.protocol === 'tcp') return [`${from}${portsOf('sport', ports)} ${isAnswer} accept`]
  if (ports !== null) return [`${from}${portsOf('sport', ports)} ${isTracked} accept`]
  return [`${from} ${isAnswer} accept`, `${from} meta l4proto != tcp ${isTracked} accept`]
}

const source = ({ family, text }: Address): string => `${family} saddr ${text}`
const target = ({ family, text }: Address): string => `${family} daddr ${text}`

function portsOf(side: 'sport' | 'dport', ports: Destination['ports']): string {
  return ports === null ? '' : ` ${ports.protocol} ${side} { ${ports.numbers.join(', ')} }`
}

/** One for each owner: what an owner of a former isolation has opened is not let in by the rule of another. */
const markOf = (uid: number): string => `0x${(0x43_00_00_00 + (uid % 0x1_00_00_00)).toString(16)}`
