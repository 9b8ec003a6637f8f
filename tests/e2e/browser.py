"""A browser for tests: opens a page in headless Chromium, and looks at it.

usage: browser.py URL [--width=N] [--height=N] [--dark]

Each line of stdin is a step: `wait EXPRESSION` until it holds in the page, `print EXPRESSION` as
JSON, `say TEXT` to whoever waits for this program's output, `screenshot FILE`. What the page
complains about (errors, refusals by its content policy) is printed and fails the program at its end.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

PATIENCE_SECONDS = 100


class Browser:
    """Speaks the DevTools protocol over the pipe of --remote-debugging-pipe."""

    def __init__(self, profile):
        program = shutil.which('chromium-headless-shell') or shutil.which('chromium')
        if program is None:
            sys.exit('there is no Chromium: install chromium-headless-shell')
        here_in, there_out = os.pipe()
        there_in, here_out = os.pipe()
        # The pipe has to be descriptors 3 and 4 of the browser.
        shell = f'exec "$@" 3<&{there_in} 4>&{there_out}'
        self.process = subprocess.Popen(
            ['bash', '-c', shell, 'browser', program, '--headless', '--no-sandbox',
             '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
             f'--user-data-dir={profile}', '--remote-debugging-pipe', 'about:blank'],
            pass_fds=[there_in, there_out], stderr=subprocess.DEVNULL)
        os.close(there_in)
        os.close(there_out)
        self.answers = os.fdopen(here_in, 'rb')
        self.requests = os.fdopen(here_out, 'wb')
        self.count = 0
        self.session = None
        self.complaints = []

    def read_message(self):
        text = bytearray()
        while True:
            byte = self.answers.read(1)
            if not byte:
                sys.exit('the browser has ended')
            if byte == b'\0':
                return json.loads(text)
            text += byte

    def call(self, method, **parameters):
        self.count += 1
        message = {'id': self.count, 'method': method, 'params': parameters}
        if self.session:
            message['sessionId'] = self.session
        self.requests.write(json.dumps(message).encode() + b'\0')
        self.requests.flush()
        while True:
            answer = self.read_message()
            if answer.get('id') == self.count:
                if 'error' in answer:
                    sys.exit(f'{method}: {answer["error"]}')
                return answer['result']
            self.hear(answer)

    def hear(self, event):
        parameters = event.get('params', {})
        if event.get('method') == 'Runtime.exceptionThrown':
            self.complaints.append(json.dumps(parameters['exceptionDetails']))
        if event.get('method') == 'Log.entryAdded':
            entry = parameters['entry']
            # A server that is gone for a moment is what the page is there to bear.
            if entry['level'] == 'error' and entry['source'] != 'network':
                self.complaints.append(entry['text'])

    def evaluate(self, expression):
        result = self.call('Runtime.evaluate', expression=expression, returnByValue=True)
        if 'exceptionDetails' in result:
            sys.exit(f'{expression}: {result["exceptionDetails"]}')
        return result['result'].get('value')

    def open(self, arguments):
        targets = self.call('Target.getTargets')['targetInfos']
        page = next(target for target in targets if target['type'] == 'page')
        self.session = self.call('Target.attachToTarget', targetId=page['targetId'],
                                 flatten=True)['sessionId']
        for domain in 'Page', 'Runtime', 'Log':
            self.call(f'{domain}.enable')
        self.call('Emulation.setDeviceMetricsOverride', width=arguments.width,
                  height=arguments.height, deviceScaleFactor=1, mobile=False)
        scheme = 'dark' if arguments.dark else 'light'
        self.call('Emulation.setEmulatedMedia',
                  features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        self.call('Page.navigate', url=arguments.url)


def wait(browser, expression):
    deadline = time.monotonic() + PATIENCE_SECONDS
    # What is not there yet is no error.
    attempt = f'(() => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }})()'
    while not browser.evaluate(attempt):
        if time.monotonic() > deadline:
            text = browser.evaluate('document.body.innerText')
            sys.exit(f'never came to be: {expression}\n{text}')
        time.sleep(0.05)


def take(browser, step):
    kind, _, rest = step.partition(' ')
    if kind == 'wait':
        wait(browser, rest)
    elif kind == 'print':
        print(json.dumps(browser.evaluate(rest)), flush=True)
    elif kind == 'say':
        print(rest, flush=True)
    elif kind == 'screenshot':
        picture = browser.call('Page.captureScreenshot', format='png')['data']
        with open(rest, 'wb') as file:
            file.write(base64.b64decode(picture))
    else:
        sys.exit(f'no step: {step}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('url')
    parser.add_argument('--width', type=int, default=1100)
    parser.add_argument('--height', type=int, default=900)
    parser.add_argument('--dark', action='store_true')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            browser.open(arguments)
            for line in sys.stdin:
                if line.strip():
                    take(browser, line.strip())
        finally:
            browser.process.kill()
            browser.process.wait()
    if browser.complaints:
        sys.exit('\n'.join(browser.complaints))


if __name__ == '__main__':
    main()
