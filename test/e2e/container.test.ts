/** What the container is made of: entry point, folders, environment, health check; and the files that describe it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { footmanBinary, type Running, runBinary } from '../support/binary.ts'
import { freeTcpPort, freeUdpPort } from '../support/ports.ts'
import { repositoryRoot } from '../support/source.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'

const shipped = (name: string) => readFileSync(join(repositoryRoot, 'config/container', name), 'utf8')
const ENVIRONMENT = { NODE_ENV: 'production', NODE_CONFIG_DIR: '' }

describe.skipIf(process.platform === 'win32')('in the folders of the container', () => {
  let nodeapp: TempDirectory
  let restPort: number

  /** The entry point, in the working directory of the image. */
  const run = (...args: string[]): Running =>
    runBinary([nodeapp.join('entrypoint.sh'), ...args], { command: '/bin/sh', cwd: nodeapp.path, env: ENVIRONMENT })

  beforeAll(async () => {
    nodeapp = tempDirectory()
    copyFileSync(footmanBinary(), nodeapp.join('footman'))
    copyFileSync(join(repositoryRoot, 'config/container/entrypoint.sh'), nodeapp.join('entrypoint.sh'))
    for (const name of ['config', 'log']) mkdirSync(nodeapp.join(name))
    restPort = await freeTcpPort()
    const settings = {
      logLevel: 'info',
      fileLogging: true,
      logDirectory: 'log',
      restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: restPort },
      udpServerConfig: { enable: true, serverHost: '127.0.0.1', portTaskFailure: await freeUdpPort() },
    }
    writeFileSync(nodeapp.join('config', 'production.yaml'), JSON.stringify({ Butler: settings }))
  })
  afterAll(() => nodeapp.remove())

  test.each([
    ['without a command', []],
    ['with the command that Butler needed', ['node', 'src/butler.js', '-c', 'config/production.yaml']],
  ])(
    'Footman starts %s, is healthy, and stops when told to',
    async (_how, command) => {
      await using container = run(...command, '--no-qs-connection')
      await container.waitForLine(new RegExp(`REST server listening on .*:${restPort}`), 20_000)
      const healthy = run('healthcheck')
      expect([(await healthy.ended).code, healthy.stdout]).toEqual([0, ['STATUS Docker health: 200', 'healthy']])
      expect(existsSync(nodeapp.join('config', 'data', 'footman.db'))).toBe(true)
      expect(readdirSync(nodeapp.join('log')).length).toBeGreaterThan(0)
      expect(await container.stop()).toBe(0)
      const stopped = run('healthcheck')
      expect((await stopped.ended).code).toBe(1)
    },
    60_000,
  )

  test('a missing configuration ends with 1 and says where it was looked for', async () => {
    const container = runBinary([nodeapp.join('entrypoint.sh')], {
      command: '/bin/sh',
      cwd: nodeapp.join('log'),
      env: ENVIRONMENT,
    })
    expect((await container.ended).code).toBe(1)
    expect(container.stderr.concat(container.stdout).join('\n')).toContain('production.yaml')
  })
})

describe('the files that describe it', () => {
  test('the image has the folders, ports and health check, and is not run as root', () => {
    const lines = shipped('Dockerfile').split('\n')
    for (const line of [
      'WORKDIR /nodeapp',
      'USER footman',
      'ENV NODE_ENV=production',
      'VOLUME ["/nodeapp/config", "/nodeapp/log"]',
      'EXPOSE 8080/tcp 9998/udp',
      'ENTRYPOINT ["/nodeapp/entrypoint.sh"]',
    ]) {
      expect(lines).toContain(line)
    }
    const copied = lines
      .find((line) => line.startsWith('COPY'))!
      .split(' ')
      .slice(2, -1)
    expect(copied).toEqual(['footman', 'config/container/entrypoint.sh'])
  })

  test('the compose file has the volumes and ports of the container of Butler', () => {
    const { footman } = parse(shipped('compose.yaml')).services
    expect(footman).toMatchObject({
      ports: ['8080:8080', '9998:9998/udp'],
      volumes: ['./config:/nodeapp/config', './log:/nodeapp/log'],
      environment: { NODE_ENV: 'production' },
      restart: 'always',
      stop_grace_period: '20s',
    })
    expect(footman.command).toBeUndefined()
  })

  test('Kubernetes runs one, never two at a time, and sends UDP as UDP', () => {
    const [, deployment, service] = parseAllDocuments(shipped('kubernetes.yaml')).map((document) => document.toJS())
    expect(deployment.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } })
    const [container] = deployment.spec.template.spec.containers
    expect(
      service.spec.ports.map(({ port, protocol }: { port: number; protocol: string }) => [port, protocol]),
    ).toEqual(
      container.ports.map(({ containerPort, protocol }: { containerPort: number; protocol: string }) => [
        containerPort,
        protocol,
      ]),
    )
    const volumes = deployment.spec.template.spec.volumes.map(({ name }: { name: string }) => name)
    expect(container.volumeMounts.map(({ name }: { name: string }) => name)).toEqual(volumes)
  })
})
