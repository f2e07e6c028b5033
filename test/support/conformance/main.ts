/**
 * Runs every conformance suite in the runtime that executes this file and prints the results as one line of JSON.
 * It is also the entry of the worker suite's threads.
 */
import { workerRole } from '../../../src/platform/worker.ts'
import { httpClientCases } from './http-client.ts'
import { httpClientFailureCases } from './http-client-failures.ts'
import { httpClientProxyCases } from './http-client-proxy.ts'
import { serverCases } from './server.ts'
import { type CaseResult, runSuite } from './suite.ts'
import { tlsServerCases } from './tls-server.ts'
import { udpCases } from './udp.ts'
import { runTestRole, workerCases } from './worker.ts'

const role = workerRole()
if (role) {
  runTestRole(role)
} else {
  const results: CaseResult[] = []
  for (const [name, cases] of [
    ['udp', udpCases],
    ['worker', workerCases],
    ['server', serverCases],
    ['tls-server', tlsServerCases],
    ['http-client', [...httpClientCases, ...httpClientFailureCases, ...httpClientProxyCases]],
  ] as const) {
    results.push(...(await runSuite(name, cases)))
  }
  console.log(`RESULTS ${JSON.stringify(results)}`)
  process.exit(0)
}
