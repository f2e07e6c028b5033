/** A Footman as the generators of service entries see it. */
import type { ServiceFacts } from '../../src/cli/service/host.ts'

export const LINUX_FACTS: ServiceFacts = {
  name: 'footman',
  command: ['/opt/footman/footman', 'run', '-c', '/opt/footman/config/prod.yaml'],
  configFile: '/opt/footman/config/prod.yaml',
  workingDirectory: '/opt/footman',
  dataDirectory: '/var/lib/footman',
  logDirectory: '/var/log/footman',
  outputDirectory: '/var/log/footman',
  scheduleFile: null,
  writable: ['/srv/qvd'],
  readable: ['/opt/footman/config/certificate/client.pem'],
  writesAnywhere: false,
  ports: [
    { purpose: 'UDP events', protocol: 'udp', port: 9998, from: ['10.0.0.5', '10.1.0.0/16', 'fd00::1'], names: [] },
    { purpose: 'REST API', protocol: 'tcp', port: 8080, from: [], names: [] },
  ],
  listensOn: [9998, 8080],
  graceMs: 10_000,
  credentials: [],
  variables: [],
}

export const WINDOWS_FACTS: ServiceFacts = {
  ...LINUX_FACTS,
  name: 'Footman',
  command: ['C:\\Program Files\\Footman\\footman.exe', 'run', '-c', 'C:\\Qlik & Co\\config\\prod.yaml'],
  configFile: 'C:\\Qlik & Co\\config\\prod.yaml',
  workingDirectory: 'C:\\Program Files\\Footman',
  dataDirectory: 'C:\\ProgramData\\Footman\\data',
  logDirectory: null,
  outputDirectory: 'C:\\Program Files\\Footman\\log',
  writable: ['D:\\qvd'],
  readable: ['C:\\Qlik & Co\\config\\certificate\\client_key.pem'],
}
