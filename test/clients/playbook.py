"""A playbook of MSAL for Python with Microsoft's own authority and hosts, as its documentation has it. Prints the end as JSON."""
import json
import sys
import time

import msal
import requests

tenant, client, secret = sys.argv[1:]
host = "https://api.securitycenter.microsoft.com"
application = msal.ConfidentialClientApplication(
    client, client_credential=secret, authority="https://login.microsoftonline.com/" + tenant
)
granted = application.acquire_token_for_client([host + "/.default"])
api = requests.Session()
api.headers["Authorization"] = "Bearer " + granted["access_token"]
machine = api.get(host + "/api/machines", params={"$top": 1}).json()["value"][0]["id"]
action = api.post(f"{host}/api/machines/{machine}/runAntiVirusScan", json={"Comment": "case 17", "ScanType": "Quick"})
where = f"{host}/api/machineactions/{action.json()['id']}"
while api.get(where).json()["status"] == "Pending":
    time.sleep(1)
action = api.post(where + "/cancel", json={"Comment": "Machine action was canceled by automation"}).json()
while action["status"] in ("Pending", "InProgress"):
    time.sleep(1)
    action = api.get(where).json()
print(json.dumps([action["status"], action["countermand"]["proof"], action["cancellationComment"]]))
