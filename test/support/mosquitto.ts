/** A real Mosquitto broker on a free loopback port, one per test file. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freeTcpPort } from './ports.ts'
import { type ServerProcess, serverProcess } from './server-process.ts'

export interface MosquittoSettings {
  /** Further lines of the configuration file. */
  readonly lines?: (directory: string) => readonly string[]
  /** Default: a free one. */
  readonly port?: number
  /** Default true. */
  readonly anonymous?: boolean
  /** Logs nothing, for load. Default false. */
  readonly quiet?: boolean
  /** Files to write into the broker's directory first. */
  readonly files?: Readonly<Record<string, string>>
}

export interface Mosquitto extends ServerProcess {
  readonly port: number
}

/** Its sessions are lost when it is killed; its log has every packet. */
export async function startMosquitto(settings: MosquittoSettings = {}): Promise<Mosquitto> {
  const { files = {}, quiet = false, anonymous = true, lines = () => [] } = settings
  const port = settings.port ?? (await freeTcpPort())
  const server = await serverProcess({
    name: 'mosquitto',
    ready: port,
    async args(directory) {
      for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
      const config = [
        `listener ${port} 127.0.0.1`,
        `allow_anonymous ${anonymous}`,
        `log_type ${quiet ? 'none' : 'all'}`,
        'log_dest stderr',
        'persistence false',
        // Started by root it would change to its own user, which cannot read the test's files.
        ...(process.getuid?.() === 0 ? ['user root'] : []),
        ...lines(directory),
      ]
      await writeFile(join(directory, 'mosquitto.conf'), `${config.join('\n')}\n`)
      return ['-c', 'mosquitto.conf']
    },
  })
  return { ...server, port }
}
