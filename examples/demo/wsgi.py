"""What every WSGI server loads: gunicorn -k gthread --threads 20 --chdir examples demo.wsgi"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")

application = get_wsgi_application()
