"""A shop: who is logged in, and what is in the session."""

from threading import Event

from django.contrib.auth import aauthenticate, alogin, alogout, authenticate, login, logout, update_session_auth_hash
from django.http import HttpResponse, JsonResponse

loaded, go_on = Event(), Event()
TIMEOUT = 30


def log_in(request):
    login(request, authenticate(request, username=request.GET["user"], password=request.GET["password"]))
    return HttpResponse()


def log_out(request):
    logout(request)
    return HttpResponse()


def change_password(request):
    request.user.set_password(request.GET["password"])
    request.user.save()
    update_session_auth_hash(request, request.user)
    return HttpResponse()


def put(request):
    request.session.update(request.GET.dict())
    return HttpResponse()


def put_slowly(request):
    """Has loaded the session, and saves it when others have done what they do."""
    request.session.update(request.GET.dict())
    loaded.set()
    if not go_on.wait(TIMEOUT):
        raise TimeoutError
    return HttpResponse()


def add_to_cart(request):
    request.session["cart"].append(request.GET["item"])
    request.session.modified = "modified" in request.GET
    return HttpResponse()


def show(request):
    return JsonResponse({"user": request.user.username, "session": dict(request.session.items())})


async def aput(request):
    await request.session.aupdate(request.GET.dict())
    return HttpResponse()


async def alog_in(request):
    user = await aauthenticate(request, username=request.GET["user"], password=request.GET["password"])
    await alogin(request, user)
    return HttpResponse()


async def alog_out(request):
    await alogout(request)
    return HttpResponse()
