/** The configuration of the demo: what a file for Butler 16 would say, with the addresses of the demo in it. */
import { butler, type Config } from '../../app/schema.ts'

export interface DemoAddresses {
  readonly qrsPort: number
  readonly enginePort: number
  readonly certificates: { readonly clientCert: string; readonly clientCertKey: string; readonly clientCertCA: string }
  readonly restPort: number
  readonly udpPort: number
  readonly webhookPort: number
  readonly mailPort: number
  readonly brokerPort: number
}

const HOST = '127.0.0.1'
/** Short enough to see several alerts about one task, long enough to see one suppressed. */
const RATE_LIMIT_SECONDS = 10
const RECIPIENT = 'ops@acme.example'

export function demoConfiguration(addresses: DemoAddresses): Config {
  const { certificates, brokerPort, mailPort, webhookPort } = addresses
  return butler.parse({
    fileLogging: false,
    cert: certificates,
    configQRS: { host: HOST, port: addresses.qrsPort, useSSL: true, rejectUnauthorized: true },
    configEngine: { host: HOST, port: addresses.enginePort, useSSL: true, rejectUnauthorized: true },
    restServerConfig: { enable: true, serverHost: HOST, serverPort: addresses.restPort },
    restServerEndpointsEnable: { apiListEnabledEndpoints: true, butlerping: true, senseStartTask: true },
    udpServerConfig: { enable: true, serverHost: HOST, portTaskFailure: addresses.udpPort },
    webhookNotification: {
      enable: true,
      reloadTaskFailure: webhook(webhookPort, 'failed'),
      reloadTaskAborted: webhook(webhookPort, 'aborted'),
    },
    emailNotification: {
      enable: true,
      reloadTaskFailure: MAIL,
      reloadTaskAborted: MAIL,
      reloadTaskSuccess: MAIL,
      smtp: { host: HOST, port: mailPort, secure: false, tls: { ignoreTLS: true, requireTLS: false } },
    },
    mqttConfig: { enable: true, brokerHost: HOST, brokerPort },
    footman: { mqtt: { taskSuccessTopic: 'qliksense/task_success' } },
  })
}

const MAIL = {
  enable: true,
  rateLimit: RATE_LIMIT_SECONDS,
  alertEnableByCustomProperty: { enable: false },
  fromAddress: 'Footman demo <footman@acme.example>',
  recipients: [RECIPIENT],
}

function webhook(port: number, outcome: string) {
  const webhookURL = `http://${HOST}:${port}/reload-${outcome}`
  return { rateLimit: RATE_LIMIT_SECONDS, webhooks: [{ description: 'demo', webhookURL, httpMethod: 'POST' }] }
}
