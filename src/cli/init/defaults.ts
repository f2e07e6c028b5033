/** What is taken where nothing was answered. */
import { hostname, networkInterfaces } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { InitAnswers } from './answers.ts'
import { type IsFree, nextFree } from './ports.ts'

export type Given = Partial<InitAnswers>

export interface DefaultSurroundings {
  /** Absolute path of the configuration file. */
  readonly file: string
  readonly platform: NodeJS.Platform
  readonly isFree: IsFree
}

const UDP_PORT = 9998
const REST_PORT = 8080

/** Asks the computer for its address and for free ports; what was given stays. */
export async function defaultAnswers(
  given: Given,
  { file, platform, isFree }: DefaultSurroundings,
): Promise<InitAnswers> {
  const ports = {
    udpPort: given.udpPort ?? (await nextFree('UDP', UDP_PORT, isFree)),
    restPort: given.restPort ?? (await nextFree('TCP', REST_PORT, isFree)),
  }
  return {
    ...STILL,
    ...{ footmanHost: ownAddress(), certificates: 'certificate', logDirectory: logDirectory(file) },
    ...dependentDefaults(given, platform),
    ...given,
    ...ports,
  }
}

/** Those that hang together with other answers; asked again after each of those. */
export function dependentDefaults(given: Given, platform: NodeJS.Platform) {
  const { mailTo = [], smtpTls = 'starttls', smtpUser = '' } = given
  const domain = mailTo[0]?.split('@')[1]
  return {
    smtpPort: smtpTls === 'tls' ? 465 : smtpUser === '' ? 25 : 587,
    mailFrom: domain ? `Qlik Sense <qliksense-noreply@${domain}>` : '',
    // On Windows a protected value; elsewhere a file, as not every service manager has credentials.
    smtpPassword: platform === 'win32' ? 'credential:smtp-password' : 'file:secrets/smtp-password',
  }
}

const STILL = {
  qsHost: '',
  qsPort: 4242,
  restHost: 'localhost',
  tags: [],
  keyValues: false,
  mailTo: [],
  smtpHost: '',
  smtpTls: 'starttls',
  smtpUser: '',
  mailAborted: false,
  mailOwner: false,
  mailMarked: false,
  slackUrl: '',
  teamsUrl: '',
  mqttHost: '',
  mqttPort: 1883,
} as const satisfies Given

/** The first IPv4 address that other computers may reach, else the name of this computer. */
export function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? hostname()
}

/** `log` beside the folder `config`, or in the folder of the file where that has another name. */
function logDirectory(file: string): string {
  const folder = dirname(file)
  return join(basename(folder).toLowerCase() === 'config' ? dirname(folder) : folder, 'log')
}
