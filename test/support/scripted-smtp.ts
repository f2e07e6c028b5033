/** A mail server over plain TCP whose answers are written out, and which can end the connection at any of them. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** `greeting`, `EHLO`, `AUTH`, `MAIL`, `RCPT`, `DATA`, `content`, or a command with its address: `RCPT gone@x.com`. */
export type SmtpStep = string

/** A text is the answer, after which 421 ends the connection; `end` ends it without any; `silence` leaves it as it is. */
export type SmtpReply = string

export interface ScriptedSmtp extends AsyncDisposable {
  readonly port: number
  /** Addresses of each content that was taken. */
  readonly taken: string[][]
  /** The commands of all connections, in their order. */
  readonly steps: string[]
  /** Answers that differ from those of a server that takes everything; `pipelining` offers it. */
  script(replies: Readonly<Record<SmtpStep, SmtpReply>>, options?: { readonly pipelining?: boolean }): void
}

const USUAL: Readonly<Record<SmtpStep, SmtpReply>> = {
  greeting: '220 scripted.test',
  AUTH: '235 welcome',
  MAIL: '250 sender ok',
  RCPT: '250 recipient ok',
  DATA: '354 go ahead',
  content: '250 accepted',
  RSET: '250 reset',
  QUIT: '221 bye',
}

export async function startScriptedSmtp(): Promise<ScriptedSmtp> {
  const taken: string[][] = []
  const steps: string[] = []
  const sockets = new Set<Socket>()
  let replies: Readonly<Record<SmtpStep, SmtpReply>> = {}
  let extensions = ''

  function serve(socket: Socket): void {
    let text = ''
    let isContent = false
    let addresses: string[] = []
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    const say = (step: SmtpStep, command = step): string => {
      steps.push(step)
      const usual = command === 'EHLO' ? `250-scripted.test\r\n${extensions}250 AUTH PLAIN` : USUAL[command]
      const isEarly = command === 'DATA' && addresses.length === 0
      const reply = replies[step] ?? replies[command] ?? (isEarly ? '503 no recipient' : usual) ?? '500 unknown'
      if (reply === 'silence') return reply
      if (reply === 'end') socket.destroy()
      else if (/^421/.test(reply) || command === 'QUIT') socket.end(`${reply}\r\n`)
      else socket.write(`${reply}\r\n`)
      return reply
    }
    function take(line: string): void {
      if (isContent) {
        if (line !== '.') return
        isContent = false
        if (say('content').startsWith('250')) taken.push(addresses)
        return
      }
      const command = line.split(/[ :]/)[0]!.toUpperCase()
      const address = /<(.*?)>/.exec(line)?.[1]
      const reply = say(address ? `${command} ${address}` : command, command)
      if (command === 'MAIL') addresses = []
      if (command === 'RCPT' && reply.startsWith('250')) addresses.push(address!)
      if (command === 'DATA' && reply.startsWith('354')) isContent = true
    }
    socket.on('data', (chunk) => {
      text += chunk
      for (let end = text.indexOf('\r\n'); end >= 0 && !socket.writableEnded; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 2)
        take(line)
      }
    })
    say('greeting')
  }

  const server = createServer(serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    taken,
    steps,
    script(changed, { pipelining = false } = {}) {
      replies = changed
      extensions = pipelining ? '250-PIPELINING\r\n' : ''
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
