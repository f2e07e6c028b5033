/** Who may read the secrets: the configuration, and keys that it names; that for Qlik Sense is looked at with its certificate. On Windows the rights of folders decide. */
import { stat } from 'node:fs/promises'
import type { PathBase } from '../../../config/paths.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

interface KeyFile {
  readonly on: boolean
  readonly key: string
  readonly path: string
  readonly base: PathBase
}

interface SecretFile {
  readonly path: string
  readonly what: string
  readonly key?: string
}

export const secrets: Probe = {
  group: 'secrets',
  title: 'Files with secrets',
  applies: () => process.platform !== 'win32',
  async run(context) {
    const found = await Promise.all(filesOf(context).map(judge))
    return found.flat()
  },
}

function filesOf({ config, loaded, paths }: DoctorContext): readonly SecretFile[] {
  const { mqttConfig, footman, restServerConfig } = config
  const keys: readonly KeyFile[] = [
    {
      ...{ on: mqttConfig.enable && mqttConfig.azureEventGrid.enable, key: 'mqttConfig.azureEventGrid.clientKeyFile' },
      ...{ path: mqttConfig.azureEventGrid.clientKeyFile, base: 'program' },
    },
    { on: mqttConfig.enable, key: 'footman.mqtt.tls.keyFile', path: footman.mqtt.tls.keyFile, base: 'working' },
    {
      ...{ on: restServerConfig.enable && restServerConfig.tls.enable, key: 'restServerConfig.tls.key' },
      ...{ path: restServerConfig.tls.key, base: 'working' },
    },
  ]
  const hasSecrets = loaded.file !== null && loaded.secrets.length > 0
  return [
    ...(hasSecrets ? [{ path: loaded.file, what: 'the configuration, which holds secrets,' }] : []),
    ...keys
      .filter(({ on, path }) => on && path !== '')
      .map(({ key, path, base }) => ({ key, path: paths.input(path, base), what: 'a private key' })),
  ]
}

async function judge({ path, what, key }: SecretFile): Promise<readonly Finding[]> {
  const file = await stat(path).catch(() => null)
  if (!file?.isFile()) return []
  const common = { target: path, ...(key !== undefined && { key }) }
  if ((file.mode & 0o004) === 0) {
    return [{ ...common, level: 'ok', code: 'secrets.private', message: 'not readable by everybody' }]
  }
  const message = `${what} can be read by every account of this machine`
  const fix = `chmod o-r '${path}', and make it readable for the account of Footman alone`
  return [{ ...common, level: 'warning', code: 'secrets.readable', message, fix }]
}
