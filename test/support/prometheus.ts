/** A real Prometheus that scrapes one Footman every half second. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freeTcpPort } from './ports.ts'
import { type ServerProcess, serverProcess } from './server-process.ts'

export interface Prometheus extends ServerProcess {
  /** Values of an expression now, one a series; rejects with the error of Prometheus. */
  query(expression: string): Promise<number[]>
}

interface Answer {
  readonly error?: string
  readonly data?: { readonly resultType: string; readonly result: readonly { readonly value: [number, string] }[] }
}

export async function startPrometheus(restPort: number): Promise<Prometheus> {
  const port = await freeTcpPort()
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
    scrape_configs: [{ job_name: 'footman', static_configs: [{ targets: [`127.0.0.1:${restPort}`] }] }],
  }
  const server = await serverProcess({
    name: 'prometheus',
    async args(directory) {
      const file = join(directory, 'prometheus.yml')
      // JSON is YAML.
      await writeFile(file, JSON.stringify(config))
      return [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ]
    },
    ready: `http://127.0.0.1:${port}/-/ready`,
  })
  return {
    ...server,
    async query(expression) {
      const body = new URLSearchParams({ query: expression })
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query`, { method: 'POST', body })
      const { error, data } = (await answer.json()) as Answer
      if (error !== undefined || !data) throw new Error(error ?? `HTTP ${answer.status}`)
      return data.result.map(({ value }) => Number(value[1]))
    },
  }
}
