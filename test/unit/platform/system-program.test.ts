import { expect, test } from 'bun:test'
import { systemProgram } from '../../../src/platform/command.ts'

test.each([
  ['icacls.exe', 'C:\\Windows\\System32\\icacls.exe'],
  ['powershell.exe', 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe'],
  ['C:\\footman\\Footman-service.exe', 'C:\\footman\\Footman-service.exe'],
])('%s of Windows is %s', (file, path) => expect(systemProgram(file, 'win32', 'C:\\Windows')).toBe(path))

test('elsewhere PATH says', () => expect(systemProgram('systemctl', 'linux')).toBe('systemctl'))
