import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createSimulator, type PortName } from '../simulator/index.ts'
import type { Logger } from '../src/platform/types.ts'

/**
 * Runs the simulated Qlik Sense site on its own and prints one line of JSON: ports and certificate files.
 * `--certificates DIR`, `--udp HOST:PORT`, `--port NAME=NUMBER` (repeatable), `--schedules`. Ends on SIGTERM or SIGINT.
 */
const USAGE = `bun scripts/simulator.ts [--certificates DIR] [--udp HOST:PORT] [--port NAME=NUMBER]... [--schedules]
A simulated Qlik Sense site, until Ctrl-C. Prints its ports and certificates in one line; docs/internals/development.md has more.
`
const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    certificates: { type: 'string' },
    udp: { type: 'string' },
    port: { type: 'string', multiple: true },
    schedules: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}

const warn = (message: string) => void process.stderr.write(`${message}\n`)
const silent = () => {}
const log: Logger = {
  error: warn,
  warn,
  info: silent,
  verbose: silent,
  debug: silent,
  silly: silent,
  enabled: (level) => level === 'error' || level === 'warn',
  child: () => log,
}

const [udpHost = '', udpPort = ''] = (values.udp ?? '').split(':')
const ports = Object.fromEntries((values.port ?? []).map((text) => [text.split('=')[0], Number(text.split('=')[1])]))
const simulator = createSimulator(
  { log },
  {
    certificateDirectory: values.certificates ?? mkdtempSync(join(tmpdir(), 'footman-simulator-')),
    ports: ports as Partial<Record<PortName, number>>,
    udpTarget: values.udp ? { host: udpHost, port: Number(udpPort) } : null,
    schedules: values.schedules,
  },
)
await simulator.start()
const { pem: _pem, ...certificates } = simulator.certificates
process.stdout.write(`${JSON.stringify({ ports: simulator.ports, certificates })}\n`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void simulator.stop().then(() => process.exit(0))
  })
}
