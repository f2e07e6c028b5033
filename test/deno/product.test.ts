import { denoHost } from '../support/deno.ts'
import { smokeTests } from '../support/smoke.ts'

smokeTests({ name: 'deno run', host: async () => denoHost(), separator: '/' })
