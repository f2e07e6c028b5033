/** Connection to Qlik Sense: certificates, repository service, engine. */
import { z } from 'zod'
import { file, flag, host, nameValue, noted, port, section, text } from '../config/fields.ts'

const SA_REPOSITORY = [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }]

export const cert = section('Certificates exported from the Qlik Management Console, in PEM format.', () => ({
  clientCert: file('Client certificate.'),
  clientCertKey: file('Key of the client certificate.'),
  clientCertCA: file('Certificate authority of the site (root.pem).'),
}))

function headers(calls: string) {
  return section(`Headers of ${calls}.`, () => ({
    static: noted(
      z
        .array(nameValue('header'))
        .prefault(SA_REPOSITORY)
        .transform((items) => (items.length > 0 ? items : SA_REPOSITORY)),
      { description: `Fixed headers of ${calls}; one must be X-Qlik-User.`, nullable: 'absent' },
    ),
  }))
}

export const configQRS = section('The repository service.', () => ({
  authentication: text('Accepted for compatibility; certificates are always used.', 'certificates', { ignored: true }),
  host: host('Host of the repository service.'),
  useSSL: flag('Use https.', true),
  port: port('Port of the repository service.', 4242),
  headers: headers('repository calls'),
  rejectUnauthorized: flag('Refuse a server certificate that cert.clientCertCA does not vouch for.'),
}))

export const configEngine = section('The engine service.', () => ({
  engineVersion: text('Accepted for compatibility; not needed.', '12.612.0', { ignored: true }),
  host: host('Host of the engine service.', '', { defaultText: 'configQRS.host' }),
  port: port('Port of the engine service.', 4747),
  useSSL: flag('Use wss.', true),
  headers: headers('engine calls'),
  rejectUnauthorized: flag('Refuse a server certificate that cert.clientCertCA does not vouch for.'),
}))

export type CertConfig = z.output<typeof cert>
export type QrsConfig = z.output<typeof configQRS>
export type EngineConfig = z.output<typeof configEngine>
