import { smokeTests } from '../support/smoke.ts'
import { windowsHost } from '../support/wine/wine.ts'

smokeTests({ name: 'footman.exe', host: windowsHost, separator: '\\' })
