/** What remains to be done, in order. */
import { dirname, join, resolve } from 'node:path'
import type { WantedProperty } from '../../app/config/custom-properties.ts'
import { quote } from '../service/plan.ts'
import type { InitAnswers } from './answers.ts'

export interface WrittenFiles {
  readonly configuration: string
  readonly appender: string
  readonly certificates: string
}

const SCHEDULER_FOLDER = 'C:\\ProgramData\\Qlik\\Sense\\Scheduler'

export function nextSteps(
  answers: InitAnswers,
  files: WrittenFiles,
  wanted: readonly WantedProperty[],
  platform: NodeJS.Platform,
): string {
  const file = quote(files.configuration, platform)
  const steps = [
    `Copy client.pem, client_key.pem and root.pem into ${files.certificates} (README.txt there tells how to get them).`,
    ...passwordStep(answers, files.configuration, platform),
    `Copy ${files.appender} to ${SCHEDULER_FOLDER} on every node that runs a scheduler,\n     and let UDP port ${answers.udpPort} through the firewall of this computer.`,
    `footman check -c ${file}`,
    ...(wanted.some(({ required }) => required) ? [`footman custom-properties -c ${file} --create`] : []),
    `footman doctor -c ${file}`,
    `footman service install -c ${file}`,
  ]
  return `Next:\n${steps.map((step, index) => `  ${index + 1}. ${step}`).join('\n')}`
}

/** How the password of the mail server gets where the configuration looks for it. */
function passwordStep({ smtpUser, smtpPassword }: InitAnswers, file: string, platform: NodeJS.Platform): string[] {
  if (smtpUser === '') return []
  const [source, name] = [smtpPassword.replace(/:.*$/s, ''), smtpPassword.replace(/^[a-z]+:/, '')]
  if (source === 'env')
    return [`Set the environment variable ${name} to the password of ${smtpUser}, for the account of the service.`]
  if (source === 'credential') {
    return [`footman credential set ${name}${platform === 'win32' ? '' : ' (tells how)'}: the password of ${smtpUser}.`]
  }
  const path = resolve(dirname(file), name)
  return [
    `Write the password of ${smtpUser} to ${path}, readable by you only (chmod 600): service install opens it to its account.`,
  ]
}

/** The folder that the answer names, absolute. */
export const certificateFolder = ({ certificates }: InitAnswers, file: string): string =>
  resolve(dirname(file), certificates)

export const appenderFile = (file: string): string => join(dirname(file), 'LocalLogConfig.xml')
